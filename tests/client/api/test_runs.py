"""DAG runs in the Python API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from airflow_remote.api import runs_client
from airflow_remote.api.result import parse_result
from airflow_remote.api.task_log import RunLogs
from airflow_remote.client import Client
from airflow_remote.errors import ArgumentsError, BusyError, NotTheApiError, WatchTimeoutError
from airflow_remote.http.connection import Response
from client.fake_runs import DAG, RUN, FakeRuns, dag_run, reading, task
from client.responses import NOT_RUN, envelope
from client.stub import Stub

if TYPE_CHECKING:
    from airflow_remote.api.runs import RunsApi

RUNNING = dag_run("running", task("extract", "running"))
DONE = dag_run("success", task("extract", "success"))


@pytest.fixture
def runs(stub: Stub) -> FakeRuns:
    """Return the runs of the stub server."""
    stub.runs = FakeRuns([RUNNING, DONE], {("extract", -1, 1): "a\nb\nc\n"})
    return stub.runs


@pytest.fixture
def client(stub: Stub) -> Client:
    """Return a client of the stub server."""
    return Client(stub.url)


def test_a_run_is_waited_for(client: Client, runs: FakeRuns) -> None:
    run = client.dag_run(DAG)
    assert (run.run_id, run.state, run.ended, run.ok) == (RUN, "running", False, False)
    assert repr(run) == "DagRun('my dag', 'manual__1', 'running')"
    assert run.wait() is run
    assert (run.state, run.ended, run.ok) == ("success", True, True)
    assert [each["task_id"] for each in run.tasks] == ["extract"]


def test_each_state_is_seen(client: Client, runs: FakeRuns) -> None:
    runs.states = [RUNNING, RUNNING, RUNNING, DONE]
    assert [run.state for run in client.dag_run(DAG).watch()] == ["running", "running", "success"]
    assert client.dag_run(DAG).refresh().ok


def test_the_wait_has_a_limit(client: Client, runs: FakeRuns) -> None:
    runs.states = [RUNNING]
    with pytest.raises(WatchTimeoutError, match="is still running"):
        client.dag_run(DAG).wait(timeout=0.01)


def test_lists_are_read_page_by_page(client: Client, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_client, "PAGE", 2)
    runs.listed = [dag_run("success", run_id=f"r{number}") for number in range(5)]
    assert [run.run_id for run in client.iter_runs()] == ["r0", "r1", "r2", "r3", "r4"]
    assert [run.run_id for run in client.runs(DAG, limit=3, state="success")] == ["r0", "r1", "r2"]
    last = runs.queries("runs")[-1]
    assert last == {"dag_id": DAG, "state": "success", "limit": "1", "offset": "2"}


@pytest.mark.parametrize("follow", [False, True])
def test_logs_are_read_part_by_part(client: Client, runs: FakeRuns, follow: bool) -> None:
    runs.states = [DONE]
    assert list(client.task_logs(DAG, "extract", follow=follow)) == ["a\nb\n", "c\n"]
    first, second = runs.queries("task_logs")
    assert (first["run_id"], first.get("after"), second["after"]) == (RUN, None, "2")
    assert (first.get("try_number"), second["try_number"]) == (None, "1")


def test_what_does_not_exist_is_named(client: Client, runs: FakeRuns) -> None:
    with pytest.raises(ArgumentsError, match="did you mean"):
        client.dag_run(DAG, "x")
    with pytest.raises(ArgumentsError, match="did you mean 'extract'"):
        list(client.task_logs(DAG, "extrac"))


def test_a_diagnosis_and_import_errors(client: Client, runs: FakeRuns) -> None:
    runs.problems = [{"kind": "dag_paused", "message": "it is paused"}]
    assert client.diagnose(DAG)["problems"] == runs.problems
    assert client.dag_run(DAG).diagnose()["problems"] == runs.problems
    assert client.import_errors() == []


def test_a_log_that_does_not_advance_ends(client: Client, stub: Stub) -> None:
    stub.respond_next(reading("", DONE), reading("", {"at_end": False, "complete": False, "next": None}))
    assert list(client.dag_run(DAG).logs("extract")) == []


def test_a_page_with_a_prefix(stub: Stub) -> None:
    client = Client("https://example.com/airflow")
    assert (
        client.page_url("/dags/a")
        == client.page_url("/airflow/dags/a")
        == "https://example.com/airflow/dags/a"
    )
    with pytest.raises(NotTheApiError):
        client.page_url("dags")


def test_a_log_that_cannot_be_read_ends_nothing() -> None:
    class Failing:
        def read_log(self, *_: Any) -> Any:
            busy = Response("http://127.0.0.1", 503, "", envelope(**NOT_RUN, status="ERROR", output="busy"))
            raise BusyError("the log cannot be read", parse_result(busy))

    notes: list[str] = []
    logs = RunLogs(cast("RunsApi", Failing()), lambda *_: None, notes.append)
    for _ in range(5):
        logs.update(dag_run("running", task("extract", "failed")))
    logs.finish(lambda _: None)
    assert notes == ["no log of extract: the log cannot be read"]
