"""Airflow settings that change logs, path, executor and database, all at the same time.

The matrix tries them one by one (tests/matrix/test_configurations.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server.postgres import postgres

from live.harness import VERSIONS, run_servers
from live.smoke import check_smoke

SETTINGS = {
    "AIRFLOW__LOGGING__JSON_LOGS": "True",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CELERY__RESULT_BACKEND": "cache+memory://",
}


def check(version: str, home: Path) -> None:
    """Run the smoke checks on a server of a version."""
    with postgres() as url:
        settings = {**SETTINGS, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
        with run_servers({version: home}, environment=settings, base_path="/air") as servers:
            check_smoke(servers[version], servers[version].release)


def test_json_logs_debug_a_base_path_celery_and_postgresql_together(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Short names: for a home with a long path, the fork server's socket is elsewhere.
    homes = {version: tmp_path_factory.mktemp(f"cfg-{version}") / "home" for version in VERSIONS}
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(check, version, home) for version, home in homes.items()]
    for job in jobs:
        job.result()
