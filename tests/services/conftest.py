"""Fixtures of the tests of services: real servers of Debian's packages, and a webserver of each version.

All of them listen on loopback ports of their own, and keep their files in temporary directories.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from live.harness import VERSIONS, Server, run_servers
from live.ports import free_port
from server.postgres import create_database, postgres

from services.kdc import Realm, run_kdc
from services.redis_server import run_redis
from services.running import end_services

DAGS = Path(__file__).parent / "dags"
RENEWAL_SECONDS = 2
"""Seconds after which ``airflow kerberos`` renews its ticket."""

SETTINGS = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor,CeleryExecutor",
    "AIRFLOW__CORE__PARALLELISM": "4",
    # The executors of Airflow 3 run tasks through its API.
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:{port}/execution/",
    # On a busy machine, an answer takes longer than the default time limits.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__CELERY__OPERATION_TIMEOUT": "60",
    "AIRFLOW__API__BASE_URL": "http://127.0.0.1:{port}",
    "AIRFLOW__KERBEROS__CCACHE": "{home}/krb5cc",
    # The addresses of this machine are not the one that the KDC sees.
    "AIRFLOW__KERBEROS__INCLUDE_IP": "False",
    "AIRFLOW__KERBEROS__REINIT_FREQUENCY": str(RENEWAL_SECONDS),
    # Airflow 2 has a processor of DAG files in its scheduler, too.
    "AIRFLOW__SCHEDULER__STANDALONE_DAG_PROCESSOR": "True",
    "FLOWER_UNAUTHENTICATED_API": "true",
}


@pytest.fixture(scope="session")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    """Run a KDC."""
    with run_kdc(tmp_path_factory.mktemp("kdc")) as realm:
        yield realm


@pytest.fixture(scope="session")
def main_servers(tmp_path_factory: pytest.TempPathFactory, realm: Realm) -> Iterator[dict[str, Server]]:
    """Start a webserver of each version, whose metadata is in PostgreSQL, and whose broker is Redis."""
    # Short names: for a home with a long path, the fork server's socket is elsewhere.
    homes = {version: tmp_path_factory.mktemp(f"srv-{version}") / "home" for version in VERSIONS}
    for home in homes.values():
        shutil.copytree(DAGS, home / "dags")
    with run_redis(tmp_path_factory.mktemp("redis")) as broker, postgres(free_port()) as database:
        environments = {}
        for number, version in enumerate(homes):
            url = create_database(database, f"airflow_{number}")
            environments[version] = {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
                "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{url}",
                "AIRFLOW__CELERY__BROKER_URL": f"{broker}/{number}",
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__KERBEROS__KEYTAB": str(realm.keytab),
                "KRB5_CONFIG": str(realm.config),
            }
        with run_servers(homes, environments, environment=SETTINGS) as servers:
            yield servers


@pytest.fixture(autouse=True)
def no_service_left(main_servers: dict[str, Server]) -> Iterator[None]:
    """End the services that a failed test leaves, so that the next test begins without any."""
    yield
    for server in main_servers.values():
        end_services(server)
