"""Airflow's private names that the fork server uses exist, and its shortcuts only save time."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.integrations import preparation

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
def test_private_name_exists(name: str) -> None:
    module, _, path = name.partition(":")
    attribute: Any = importlib.import_module(module)
    for part in path.split("."):
        attribute = getattr(attribute, part, None)
        assert attribute is not None, (
            f"this Airflow has no {name}: see integrations/preparation.py for its use"
        )


def test_private_name_of_one_major_version_exists(major: int) -> None:
    for name in NAMES_OF_3:
        module, _, attribute = name.partition(":")
        if major == 3:
            assert hasattr(importlib.import_module(module), attribute), f"this Airflow has no {name}"
        else:
            with pytest.raises(ImportError):
                importlib.import_module(module)


@pytest.mark.slow
def test_warm_up_leaves_no_thread_and_no_connection_and_reads_metrics() -> None:
    program = """
import os, sys
from airflow_remote_server.integrations.preparation import warm_up
warm_up()
assert len(os.listdir("/proc/self/task")) == 1, "a thread runs"
stats = sys.modules.get("airflow._shared.observability.metrics.stats")
assert stats is None or stats._registry is not None, "the metrics are read at each command"
assert not any("airflow.db" in os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
               if os.path.exists(f"/proc/self/fd/{fd}")), "the database is open"
"""
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr[-2000:]


STEPS = """
import logging, sys
from airflow_remote_server.integrations import base, preparation
logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s %(message)s", force=True)
base.log.setLevel(logging.DEBUG)
base.log.propagate = False
base.log.addHandler(handler := logging.StreamHandler(sys.stdout))
for name in sys.argv[1:]:
    original = getattr(preparation, name)
    def missing():
        raise AttributeError("no such private name")
    missing.__qualname__ = name
    steps = preparation.STEPS
    preparation.STEPS = [missing if step is original else step for step in steps]
    preparation.warm_up()
    preparation.STEPS = steps
"""


@pytest.mark.slow
def test_failing_step_is_skipped_with_one_log_line_and_the_others_run() -> None:
    steps = [step.__name__ for step in preparation.STEPS]
    assert len(steps) > 5
    completed = subprocess.run(
        [sys.executable, "-c", STEPS, *steps], capture_output=True, text=True, timeout=120, check=False
    )
    assert completed.returncode == 0, completed.stderr[-2000:]
    expected = [f"Skipped in the warm-up: {step} (AttributeError: no such private name)" for step in steps]
    assert [line for line in completed.stdout.splitlines() if "Skipped" in line] == expected


COMPILED = """
import json, os, sys
from airflow_remote_server.integrations import preparation
preparation.warm_up()
from sqlalchemy.sql import compiler
original, compiled = compiler.SQLCompiler.__init__, []
def count(self, dialect, statement, *rest, **more):
    original(self, dialect, statement, *rest, **more)
    compiled.append(str(self.string).split()[0])
compiler.SQLCompiler.__init__ = count
from airflow.__main__ import main
for command in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork():
        os.wait()
        continue
    sys.argv = ["airflow", *json.loads(command)]
    preparation.forget_connections()
    try:
        main()
    except (SystemExit, Exception) as error:
        print(error, file=sys.stderr)
    print("compiled:", *compiled, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(0)
"""
"""Run commands in forks of a process that has warmed up; print the first word of each compiled statement."""


def run_warm(*commands: tuple[str, ...]) -> tuple[list[str], str]:
    """Run commands as a fork server does; return the lines about what they compiled, and all output."""
    completed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED, *map(json.dumps, commands)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in completed.stderr.splitlines() if line.startswith("compiled:")]
    output = completed.stdout + completed.stderr
    assert len(lines) == len(commands), output
    return lines, output


@pytest.mark.slow
def test_warm_up_compiles_the_statements_of_commands(database: None) -> None:
    commands = [
        ("variables", "list"),
        ("pools", "list"),
        ("connections", "list", "--output=json"),
        ("dags", "pause", "no_such_dag"),
        ("dags", "unpause", "no_such_dag"),
        ("dags", "state", "no_such_dag", "2024-01-01"),
        ("dags", "trigger", "no_such_dag"),
    ]
    lines, output = run_warm(*commands)
    for command, compiled in zip(commands, lines, strict=True):
        # Airflow 3 checks the database with a statement of its own: "SELECT 1".
        allowed = ([], ["SELECT"]) if command[0] == "dags" else ([],)
        assert compiled.split()[1:] in allowed, (command, output)


@pytest.mark.slow
def test_warm_up_compiles_the_statements_of_a_new_run(database: None, home: Path) -> None:
    """The DAG is in the database, so the command also executes INSERT statements."""
    file = home / "dags" / "warmup_run.py"
    file.write_text(
        "try:\n    from airflow.sdk import DAG\nexcept ImportError:\n    from airflow import DAG\n"
        "try:\n    from airflow.providers.standard.operators.empty import EmptyOperator\n"
        "except ImportError:\n    from airflow.operators.empty import EmptyOperator\n"
        "with DAG('warmup_run', schedule=None):\n    EmptyOperator(task_id='nothing')\n"
    )
    try:
        argv = [sys.executable, "-m", "airflow", "dags", "reserialize"]
        subprocess.run(argv, check=True, capture_output=True)
    finally:
        file.unlink()
    [compiled], output = run_warm(("dags", "trigger", "warmup_run"))
    assert "manual__" in output
    assert "INSERT" not in compiled
    assert len(compiled.split()) <= 2, compiled


@pytest.mark.slow
def test_warm_up_leaves_nothing_in_the_database(database: None) -> None:
    program = """
from airflow_remote_server.integrations import preparation, warmup
preparation.warm_up()
for table in ("log", "dag", "dag_run", "task_instance"):
    [(count,)] = preparation.query_rows(f"SELECT count(*) FROM {table} WHERE dag_id = '{warmup.DAG_ID}'")
    assert count == 0, table
"""
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr[-2000:]


def test_http_clients_share_an_ssl_context(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    from httpx._transports import default as transports

    from airflow_remote_server.integrations.preparation import prepare_ssl_context

    created: list[Any] = []
    original = transports.create_ssl_context

    def create(**parameters: Any) -> Any:
        created.append(original(**parameters))
        return created[-1]

    monkeypatch.setattr(transports, "create_ssl_context", create)
    prepare_ssl_context()
    assert len(created) == 1
    usual = {"verify": True, "cert": None, "trust_env": True}
    assert transports.create_ssl_context(**usual) is created[0] is transports.create_ssl_context(**usual)
    with httpx.Client(trust_env=False, verify=True):
        assert len(created) == 2, "a context with other parameters is not shared"
    assert created[0].verify_mode == created[1].verify_mode


class TestShortcuts:
    """Each shortcut calls Airflow's own function if the database and the expected state differ."""

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Record the calls of Airflow's own functions."""
        from airflow.utils import db

        names: list[str] = []
        monkeypatch.setattr(db, "check_and_run_migrations", lambda: names.append("migrations"))
        monkeypatch.setattr(db, "synchronize_log_template", lambda **_: names.append("templates"))
        return names

    @pytest.fixture
    def rows(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Return the rows that the database returns, by table; tests set them."""
        from airflow_remote_server.integrations import preparation

        results: dict[str, Any] = {}
        monkeypatch.setattr(
            preparation,
            "query_rows",
            lambda statement: results["version" if "alembic" in statement else "template"],
        )
        return results

    def test_migrations_are_checked_unless_the_database_has_the_newest_revision(
        self, calls: list[str], rows: dict[str, Any]
    ) -> None:
        from airflow.utils import db
        from alembic.script import ScriptDirectory

        from airflow_remote_server.integrations.preparation import check_migrations_quickly

        heads = ScriptDirectory.from_config(db._get_alembic_config()).get_heads()  # noqa: SLF001 - pinned above
        check_migrations_quickly()
        for result, expected in (([(head,) for head in heads], 0), ([("old",)], 1), (None, 1), ([], 1)):
            calls.clear()
            rows["version"] = result
            db.check_and_run_migrations()
            assert calls == (["migrations"] if expected else [])

    def test_log_template_is_synchronized_unless_it_is_the_configured_one(
        self, calls: list[str], rows: dict[str, Any]
    ) -> None:
        from airflow.configuration import conf
        from airflow.utils import db

        from airflow_remote_server.integrations.preparation import compare_log_template_quickly

        current = (
            conf.get("logging", "log_filename_template"),
            conf.get("elasticsearch", "log_id_template"),
        )
        compare_log_template_quickly()
        for result, expected in (([current], 0), ([("other", current[1])], 1), (None, 1), ([], 1)):
            calls.clear()
            rows["template"] = result
            db.synchronize_log_template()
            assert calls == (["templates"] if expected else [])
        calls.clear()
        rows["template"] = [current]
        db.synchronize_log_template(session=object())  # a caller with its own session has a reason
        assert calls == ["templates"]
