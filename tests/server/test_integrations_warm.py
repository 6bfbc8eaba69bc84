"""Airflow's private names that the warm host relies on, and that its shortcuts change nothing but time."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest

NAMES = (
    "airflow.models:import_all_models",
    "airflow.providers_manager:ProvidersManager.initialize_providers_configuration",
    "airflow.plugins_manager:ensure_plugins_loaded",
    "airflow.cli.cli_parser:get_parser",
    "airflow.settings:Session",
    "airflow.settings:engine",
    "airflow.utils.db:_get_alembic_config",
    "airflow.utils.db:check_and_run_migrations",
    "airflow.utils.db:synchronize_log_template",
    "airflow.configuration:conf.upgraded_values",
    "httpx._transports.default:create_ssl_context",
)
NAMES_OF_3 = ("airflow._shared.observability.metrics.stats:_get_registry",)


@pytest.mark.parametrize("name", NAMES)
def test_a_private_name_is_there(name: str) -> None:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part, None)
        assert found is not None, (
            f"this Airflow has no {name}: see integrations/warm.py for what it is used for"
        )


def test_a_private_name_of_one_version_is_there(major: int) -> None:
    for name in NAMES_OF_3:
        module, _, attribute = name.partition(":")
        if major == 3:
            assert hasattr(importlib.import_module(module), attribute), f"this Airflow has no {name}"
        else:
            with pytest.raises(ImportError):
                importlib.import_module(module)


@pytest.mark.slow
def test_what_is_warm_has_no_thread_no_connection_and_what_is_read_once() -> None:
    probe = """
import os, sys
from airflow_remote_server.integrations.warm import warm_up
warm_up()
assert len(os.listdir("/proc/self/task")) == 1, "a thread runs"
stats = sys.modules.get("airflow._shared.observability.metrics.stats")
assert stats is None or stats._registry is not None, "the metrics are read at each command"
assert not any("airflow.db" in os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
               if os.path.exists(f"/proc/self/fd/{fd}")), "the database is open"
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


class TestShortcuts:
    """Each asks Airflow's own function whenever the two sides differ."""

    @pytest.fixture
    def database(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What was asked of Airflow's own functions."""
        from airflow.utils import db

        asked: list[str] = []
        monkeypatch.setattr(db, "check_and_run_migrations", lambda: asked.append("migrations"))
        monkeypatch.setattr(db, "synchronize_log_template", lambda **_: asked.append("templates"))
        return asked

    @pytest.fixture
    def answers(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What the database says, by table."""
        from airflow_remote_server.integrations import warm

        found: dict[str, Any] = {}
        monkeypatch.setattr(
            warm, "rows", lambda statement: found["version" if "alembic" in statement else "template"]
        )
        return found

    def test_migrations(self, database: list[str], answers: dict[str, Any]) -> None:
        from airflow.utils import db
        from alembic.script import ScriptDirectory

        from airflow_remote_server.integrations.warm import check_migrations_quickly

        heads = ScriptDirectory.from_config(db._get_alembic_config()).get_heads()
        check_migrations_quickly()
        for answer, expected in (([(head,) for head in heads], []), ([("old",)], 1), (None, 1), ([], 1)):
            database.clear()
            answers["version"] = answer
            db.check_and_run_migrations()
            assert database == (["migrations"] if expected else [])

    def test_log_templates(self, database: list[str], answers: dict[str, Any]) -> None:
        from airflow.configuration import conf
        from airflow.utils import db

        from airflow_remote_server.integrations.warm import compare_log_template_quickly

        now = (
            conf.get("logging", "log_filename_template"),
            conf.get("elasticsearch", "log_id_template", fallback=None),
        )
        compare_log_template_quickly()
        for answer, expected in (([now], 0), ([("other", now[1])], 1), (None, 1), ([], 1)):
            database.clear()
            answers["template"] = answer
            db.synchronize_log_template()
            assert database == (["templates"] if expected else [])
        database.clear()
        answers["template"] = [now]
        db.synchronize_log_template(session=object())  # who brings a session has a reason
        assert database == ["templates"]
