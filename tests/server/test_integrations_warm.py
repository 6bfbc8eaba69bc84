"""Airflow's private names that the warm host relies on, and that its shortcuts change nothing but time."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

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


COMPILED = """
import os, sys
from airflow_remote_server.integrations import warm
warm.warm_up()
from sqlalchemy.sql import compiler
original, compiled = compiler.SQLCompiler.__init__, []
def count(self, dialect, statement, *rest, **more):
    original(self, dialect, statement, *rest, **more)
    compiled.append(str(self.string).split()[0])
compiler.SQLCompiler.__init__ = count
from airflow.__main__ import main
sys.argv = ["airflow", *sys.argv[1:]]
warm.forget_connections()
try:
    main()
except (SystemExit, Exception) as error:
    print(error, file=sys.stderr)
print("compiled:", *compiled, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv",
    [
        ("variables", "list"),
        ("pools", "list"),
        ("connections", "list", "--output=json"),
        ("dags", "pause", "no_such_dag"),
        ("dags", "unpause", "no_such_dag"),
        ("dags", "state", "no_such_dag", "2024-01-01"),
        ("dags", "trigger", "no_such_dag"),
    ],
)
def test_a_command_finds_its_statements_compiled(database: None, argv: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED, *argv], capture_output=True, text=True, check=False
    )
    [said] = [line for line in done.stderr.splitlines() if line.startswith("compiled:")]
    # Airflow 3 asks in words of its own whether the database is there: "SELECT 1".
    assert said.split()[1:] in ([], ["SELECT"]) if argv[0] == "dags" else said == "compiled:", done.stderr


@pytest.mark.slow
def test_a_run_that_is_made_finds_its_statements_compiled(database: None, home: Path) -> None:
    """Also the INSERTs, of a DAG in the database."""
    file = home / "dags" / "rehearsed.py"
    file.write_text(
        "try:\n    from airflow.sdk import DAG\nexcept ImportError:\n    from airflow import DAG\n"
        "try:\n    from airflow.providers.standard.operators.empty import EmptyOperator\n"
        "except ImportError:\n    from airflow.operators.empty import EmptyOperator\n"
        "with DAG('rehearsed', schedule=None):\n    EmptyOperator(task_id='nothing')\n"
    )
    try:
        argv = [sys.executable, "-m", "airflow", "dags", "reserialize"]
        subprocess.run(argv, check=True, capture_output=True)
    finally:
        file.unlink()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED, "dags", "trigger", "rehearsed"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "manual__" in done.stdout, done.stderr
    [said] = [line for line in done.stderr.splitlines() if line.startswith("compiled:")]
    assert "INSERT" not in said
    assert len(said.split()) <= 2, said


@pytest.mark.slow
def test_a_rehearsal_leaves_nothing_in_the_database(database: None) -> None:
    probe = """
from airflow_remote_server.integrations import rehearsal, warm
warm.warm_up()
for table in ("log", "dag", "dag_run", "task_instance"):
    [(count,)] = warm.rows(f"SELECT count(*) FROM {table} WHERE dag_id = '{rehearsal.DAG_ID}'")
    assert count == 0, table
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_nobody_can_tell_a_prepared_context_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    from httpx._transports import default as transports

    from airflow_remote_server.integrations.warm import prepare_ssl_contexts

    made: list[Any] = []
    original = transports.create_ssl_context

    def create(**asked: Any) -> Any:
        made.append(original(**asked))
        return made[-1]

    monkeypatch.setattr(transports, "create_ssl_context", create)
    prepare_ssl_contexts()
    ready = len(made)
    assert ready >= 1
    used = []
    for _ in range(ready + 1):
        with httpx.Client(trust_env=False, verify=True) as client:
            used.append(client)
    assert len(made) == ready + len(used), "another way to ask for one"
    contexts = [transports.create_ssl_context(verify=True, cert=None, trust_env=True) for _ in range(ready)]
    assert len(made) == ready + len(used), "they were ready"
    assert len({id(context) for context in contexts}) == ready, "each is used once"
    assert {context.verify_mode for context in contexts} == {made[0].verify_mode}


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
            conf.get("elasticsearch", "log_id_template"),
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
