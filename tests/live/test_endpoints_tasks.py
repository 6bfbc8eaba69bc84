"""The endpoints for tasks and task instances."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from live.concurrency import on_both_versions, run_concurrently
from live.database import fetch_rows
from live.harness import Server

HELLO = {"dag_id": "hello_remote", "task_id": "hello"}


@pytest.fixture(scope="module")
def shared_runs() -> dict[str, str]:
    """Return the runs that the tests of this module share, by version."""
    return {}


@pytest.fixture
def run_id(server: Server, shared_runs: dict[str, str]) -> str:
    if server.version not in shared_runs:
        shared_runs[server.version] = server.trigger("for_tasks", name="Live")
    return shared_runs[server.version]


def state(server: Server, run_id: str) -> str | None:
    """Return the state of a run's hello task in Airflow's database."""
    query = "select state from task_instance where dag_id = 'hello_remote' and run_id = ?"
    [(found,)] = fetch_rows(server, query, run_id)
    return None if found is None else str(found)


def test_tasks_can_be_inspected(server: Server, run_id: str) -> None:
    tasks, deps, rendered, task_state = run_concurrently(
        lambda: server.run_command("list_tasks", dag_id="hello_remote"),
        lambda: server.run_command("task_failed_deps", **HELLO, execution_date=run_id),
        lambda: server.run_command("render", **HELLO, run_id=run_id),
        lambda: server.run_command("task_state", **HELLO, execution_date=run_id),
    )
    assert tasks["output"] == "hello"
    assert "dependencies not met" in deps["output"]
    assert "Live" in rendered["output"]
    assert task_state["output"] == "None"


def test_test_greets_by_the_conf_of_the_run(server: Server, run_id: str) -> None:
    envelope = server.run_command("test", **HELLO, execution_date=run_id)
    assert "Hello, Live!" in envelope["output"]
    assert "warning" not in envelope


@on_both_versions
def test_a_task_that_fails_in_test(server: Server) -> None:
    reply = server.get("test", dag_id="live_trouble", task_id="fails")
    assert "the task's own failure" in reply["stderr"] + reply["stdout"]
    if server.major == 2:
        assert (reply.status, reply["exit_code"], reply["status"]) == (422, 1, "ERROR"), reply.text
        assert reply["error"]["type"] == "CommandFailed"
    else:
        # Airflow 3 reports success, so the envelope must carry a warning.
        assert (reply.status, reply["exit_code"], reply["status"]) == (200, 0, "OK"), reply.text
        assert "the task failed" in reply["warning"]


@on_both_versions
def test_a_task_that_reads_stdin_ends_at_once(server: Server) -> None:
    reply = server.get("test", dag_id="live_trouble", task_id="asks")
    assert "EOFError" in reply["stderr"] + reply["stdout"]
    assert reply.seconds < 60
    assert "the answer is" not in reply["stdout"]


def test_unknown_objects_give_a_404(server: Server, run_id: str) -> None:
    replies = run_concurrently(
        lambda: server.get("task_state", dag_id="hello_remote", task_id="no_such_task", run_id=run_id),
        lambda: server.get("task_state", **HELLO, run_id="no_such_run"),
        lambda: server.get("render", dag_id="hello_remote", task_id="no_such_task", run_id=run_id),
        lambda: server.get("test", dag_id="hello_remote", task_id="no_such_task"),
    )
    assert [(reply["airflow_cmd"], reply.status) for reply in replies if reply.status != 404] == []
    for reply in replies:
        assert reply["error"]["type"] == "NotFound"
        assert "no_such" in reply["output"]
        assert "\n" not in reply["output"]


@on_both_versions
def test_clear(server: Server) -> None:
    run_id = "to_be_cleared"
    server.run_command(
        "trigger_dag", dag_id="hello_remote", run_id=run_id, exec_date="2024-06-01T00:00:00+00:00"
    )
    # The states that a scheduler would have written.
    with closing(sqlite3.connect(server.home / "airflow.db", timeout=30)) as database, database:
        database.execute("update task_instance set state = 'failed' where run_id = ?", (run_id,))
        database.execute("update dag_run set state = 'failed' where run_id = ?", (run_id,))
    dates = {"start_date": "2024-06-01", "end_date": "2024-06-02"}
    envelope = server.run_command("clear", dag_id="hello_remote", only_failed="true", **dates)
    assert "--yes" in envelope["airflow_cmd"]
    assert state(server, run_id) is None
    assert fetch_rows(server, "select state from dag_run where run_id = ?", run_id) == [("queued",)]


def test_run_is_not_in_airflow_3(server3: Server) -> None:
    for path in ("/api/v1.0/run", "/api?api=run"):
        reply = server3.request(path, params={**HELLO, "execution_date": "any"})
        assert (reply.status, reply["error"]["type"]) == (501, "NotInThisAirflow")
        message = reply["error"]["message"]
        assert all(name in message for name in ("tasks test", "dags trigger", "tasks clear"))


def test_run_on_airflow_2(server2: Server) -> None:
    run_id = server2.trigger("to_be_run", name="Runner")
    server2.run_command(
        "run", **HELLO, execution_date=run_id, local="true", mark_success="true", force="true"
    )
    assert server2.run_command("task_state", **HELLO, execution_date=run_id)["output"] == "success"


def test_run_on_airflow_2_rejects_arguments_that_run_code_or_delete_files(server2: Server) -> None:
    for name in ("cfg_path", "pickle"):
        reply = server2.get("run", **HELLO, execution_date="any", **{name: "1"})
        assert (reply.status, reply["airflow_cmd"]) == (400, "")
        assert f"'{name}'" in reply["output"]
