"""Ambiguous and unknown command names."""

from __future__ import annotations

from typing import Any

import pytest
from contract import commands

from airflow_remote.exit_status import ExitStatus
from client.program import Run
from client.responses import envelope, json_response
from client.stub import Stub

CLASSIC = [
    ("variables", "variables", {}),
    ("variables --set k v", "variables", {"cmd": "set", "key": "k", "value": "v"}),
    ("variables -g k", "variables", {"cmd": "get", "key": "k"}),
    ("connections --list", "connections", {"cmd": "list"}),
    ("backfill my_dag -s 2026-01-01", "backfill", {"dag_id": "my_dag", "start_date": "2026-01-01"}),
    ("kerberos -kt x", "kerberos", {"keytab": "x"}),
    ("trigger_dag d", "trigger_dag", {"dag_id": "d"}),
]


@pytest.mark.parametrize(
    ("line", "path", "arguments"),
    CLASSIC,
    ids=[line for line, _, _ in CLASSIC],
)
def test_airflow_1_command_line_is_a_classic_command(
    run: Run, live: Stub, line: str, path: str, arguments: dict[str, Any]
) -> None:
    assert run(*line.split()).status == 0
    assert live.request.path == f"/admin/rest_api/api/v1.0/{path}"
    assert live.request.arguments == arguments


def test_airflow_1_option_selects_the_classic_command(run: Run, live: Stub) -> None:
    assert run("scheduler", "--num_runs", "3").status == 0
    assert live.request.path.endswith("/commands/scheduler")
    live.requests.clear()
    entry = next(command for command in live.catalog["commands"] if command["name"] == "scheduler")
    entry["arguments"] = [argument for argument in entry["arguments"] if argument["name"] != "num_runs"]
    run("nothing-of-this-name")  # an unknown name refreshes the cached catalog
    for line in ("scheduler --num_runs 3", "scheduler --num-runs=3"):
        assert run(*line.split()).status == 0
        assert live.request.path.endswith("/v1.0/scheduler")
        assert live.request.arguments == {"num_runs": "3"}
        live.requests.clear()
    assert "unrecognized arguments" in run("scheduler", "--", "--num_runs").message()


def test_name_of_a_command_and_a_group_requests_the_catalog(run: Run, stub: Stub) -> None:
    stub.catalog = commands()
    assert run("variables", "list").status == 0
    assert (stub.request.path.rpartition("v1.0/")[2], len(stub.catalog_requests)) == (
        "commands/variables/list",
        1,
    )


def test_unknown_subcommand_is_reported_by_the_group(run: Run, live: Stub) -> None:
    completed = run("variables", "lits")
    assert completed.status == ExitStatus.USAGE
    assert completed.message().endswith("did you mean 'list'? (see airflow-remote variables --help)")
    assert live.requests == []


def test_help_covers_the_group_and_the_classic_command(run: Run, live: Stub) -> None:
    for option in ("--help", "-h"):
        shown = run("variables", option).out
        assert "Commands:\n  export  Export all variables" in shown
        assert "As in Airflow 1.x" in shown
        assert "-s, --set KEY VALUE" in shown
    assert "As in Airflow 1.x" not in run("dags", "--help").out


# Unknown names.


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("initdb", "Airflow 3.3.2 has no `initdb`; use db migrate"),
        ("shell", "Airflow 3.3.2 has no `shell`; use db shell"),
        ("dags backfill d", "Airflow 3.3.2 has no `dags backfill`; use backfill create"),
        ("tasks run d t e", "Airflow 3.3.2 has no `tasks run`; use tasks test, dags trigger and tasks clear"),
    ],
)
def test_name_of_another_airflow_suggests_the_current_one(
    run: Run, live: Stub, line: str, message: str
) -> None:
    completed = run(*line.split())
    assert (completed.status, completed.message(), live.requests) == (ExitStatus.UNSUPPORTED, message, [])


@pytest.mark.parametrize(
    ("line", "name"), [("edge worker -q x", "edge worker"), ("edge -h", "edge"), ("edge", "edge")]
)
def test_command_of_a_missing_provider_names_the_provider(run: Run, live: Stub, line: str, name: str) -> None:
    completed = run(*line.split())
    assert (completed.status, live.requests) == (ExitStatus.UNSUPPORTED, [])
    needed = "the edge provider (pip install apache-airflow-providers-edge3)"
    assert completed.message() == f"this Airflow has no `{name}`: it needs {needed}"


def test_withheld_command_mentions_the_token(run: Run, stub: Stub) -> None:
    stub.catalog = {**commands(), "withheld": True}
    run("--help")
    for line in ("tasks clear d", "standalone"):
        completed = run(*line.split())
        assert completed.status == ExitStatus.USAGE
        assert "no such command" in completed.message()
        assert "or this token may not run it: see airflow-remote whoami" in completed.message()


def test_status_501_is_the_unsupported_exit_status(run: Run, live: Stub) -> None:
    response = envelope(status="ERROR", output="use db migrate", stdout=None, stderr=None, exit_code=None)
    live.respond_next(json_response(response, 501))
    completed = run("dags", "list")
    assert (completed.status, completed.message()) == (ExitStatus.UNSUPPORTED, "use db migrate")


def test_refusal_of_the_server_is_shown(run: Run, live: Stub) -> None:
    response = envelope(
        status="ERROR", output="it needs a terminal", stdout=None, stderr=None, exit_code=None
    )
    live.respond_next(json_response(response, 403))
    completed = run("db", "shell")
    assert (completed.status, completed.message()) == (ExitStatus.REFUSED, "it needs a terminal")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("dgs list", "no such command: 'dgs'; did you mean 'dags'?"),
        ("list_dag", "did you mean 'list_dags'?"),
        ("jbo list", "did you mean 'job'?"),
        ("dags", "Missing command"),
        ("dags --nonsense", "No such option"),
        (
            "dags trigger",
            "the following arguments are required: dag_id (see airflow-remote dags trigger --help)",
        ),
        ("dags trigger d e", "unrecognized arguments: e (see"),
        ("dags trigger d --config {}", "unrecognized arguments: --config {}; did you mean --conf? (see"),
        ("dags trigger d --logicaldate=x", "; did you mean --logical-date? (see"),
        ("dags trigger d -o xml", "invalid choice: 'xml'"),
    ],
)
def test_usage_error_is_one_line(run: Run, live: Stub, line: str, reason: str) -> None:
    completed = run(*line.split())
    assert completed.status == ExitStatus.USAGE
    assert reason in completed.message()
    assert live.requests == []
