"""Servers without a usable catalog."""

from __future__ import annotations

from contract import commands

from airflow_remote.exit_status import ExitStatus
from client.program import Run, call
from client.responses import json_response
from client.stub import Stub


def test_only_classic_commands_work_without_server_and_cache() -> None:
    completed = call("--help")
    assert (completed.status, completed.err) == (0, "")
    assert "They could not be loaded: no connection to" in completed.out
    assert "trigger_dag " in completed.out
    completed = call("dags", "list")
    assert completed.status == ExitStatus.UNREACHABLE
    assert "no connection to" in completed.message()
    assert "without the server's commands, no such command: 'dags'" in completed.message()


def test_missing_token_is_reported_instead_of_an_unknown_command(stub: Stub, run: Run) -> None:
    document = {
        "call_time": "",
        "output": "Token Authentication Failed",
        "response_time": "",
        "status": "ERROR",
    }
    stub.catalog_response = json_response(document, 403)
    completed = run("dags", "list")
    assert completed.status == ExitStatus.REFUSED
    assert "set --token or AIRFLOW_REMOTE_TOKEN" in completed.message()


def test_unknown_catalog_format_asks_for_an_update(stub: Stub, run: Run) -> None:
    stub.catalog = {"format": 2, "commands": []}
    completed = run("dags", "list")
    assert completed.status == ExitStatus.NOT_THE_API
    assert "lists its commands in format 2: update airflow-remote" in completed.message()


def test_old_server_has_only_classic_commands(stub: Stub, run: Run) -> None:
    completed = run("dags", "list")
    assert (completed.status, stub.requests) == (ExitStatus.USAGE, [])
    assert "too old to list its commands" in completed.message()
    assert run("variables", "--set", "k", "v").status == 0


def test_classic_commands_do_not_request_the_catalog(stub: Stub, run: Run) -> None:
    stub.catalog = commands()
    for line in ("trigger_dag x", "variables", "variables --set k v", "version", "pool -g p", "scheduler"):
        assert run(*line.split()).status == 0
    assert stub.catalog_requests == []


def test_invalid_command_name_sends_no_request(stub: Stub, run: Run) -> None:
    assert run("--", "--version").status == ExitStatus.USAGE
    assert run("a/b").status == ExitStatus.USAGE
    assert stub.catalog_requests == []
