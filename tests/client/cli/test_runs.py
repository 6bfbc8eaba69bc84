"""``runs list``, ``show``, ``watch`` and ``diagnose``, and ``open``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.wrappers import Response

from airflow_remote.cli import run_following
from airflow_remote.exit_status import ExitStatus
from client.fake_runs import DAG, RUN, FakeRuns, dag_run, reading, task
from client.program import CompletedRun, Run
from client.stub import Stub

BEGUN = dag_run("queued", task("extract", None), task("load", None))
RUNNING = dag_run("running", task("extract", "running"), task("load", None))
DONE = dag_run("success", task("extract", "success"), task("load", "success"))
BROKEN = dag_run("failed", task("extract", "failed"), task("load", "upstream_failed"))
FAILED_TASK = {
    "kind": "task_failed",
    "message": "task extract failed",
    "advice": "fix it",
    "task_id": "extract",
    "map_index": -1,
    "try_number": 1,
    "log": "Traceback\nValueError: no\x1b[31m data\n",
}


@pytest.fixture
def runs(stub: Stub) -> FakeRuns:
    """Return the runs of the stub server."""
    stub.runs = FakeRuns([DONE], {("extract", -1, 1): "a\nb\nc\n", ("load", -1, 1): "d\n"})
    return stub.runs


def without_times(completed: CompletedRun) -> list[str]:
    """Return the lines of standard output without the times before them."""
    return [line[10:] if line[2:3] == ":" else line for line in completed.out.splitlines()]


def test_runs_are_listed(run: Run, runs: FakeRuns) -> None:
    runs.listed = [dag_run("running", run_id=f"r{number}") for number in range(3)]
    completed = run("runs", "list", DAG, "--limit", "2", "--state", "running", "--start-date", "2026-01-01")
    assert (completed.status, completed.err) == (0, "")
    head, *rows = completed.out.splitlines()
    assert head.split() == ["DAG", "RUN", "STATE", "TYPE", "STARTED", "DURATION"]
    assert [row.split()[2:5] for row in rows] == [["r0", "running", "manual"], ["r1", "running", "manual"]]
    expected = {"dag_id": DAG, "state": "running", "start_date": "2026-01-01", "limit": "2", "offset": "0"}
    assert runs.queries("runs") == [expected]


def test_plain_and_json_are_for_programs(run: Run, runs: FakeRuns) -> None:
    runs.listed = [dag_run("success", conf={"a": 1})]
    plain = run("runs", "list", "-o", "plain").out
    assert plain == f"{DAG}\t{RUN}\tsuccess\tmanual\t2026-01-01 00:00:00\t1 min 05 s\n"
    assert json.loads(run("runs", "list", "-o", "json").out) == {"runs": runs.listed}
    assert json.loads(run("--json", "runs", "show", DAG, RUN).out) == DONE
    tasks = run("runs", "show", DAG, "--output=plain").out.splitlines()
    assert tasks[0].split("\t") == [
        "extract",
        "success",
        "1",
        "2026-01-01 00:00:01",
        "2.5 s",
        "PythonOperator",
    ]


def test_a_run_is_shown_with_its_tasks(run: Run, runs: FakeRuns) -> None:
    runs.states = [dag_run("failed", task("load", "failed", map_index=3, try_number=2), note="a\x1b[2Jb")]
    completed = run("runs", "show", DAG)
    assert completed.status == 0
    assert "\x1b" not in completed.out
    assert "load[3]  failed" in completed.out
    assert runs.queries("dag_run") == [{"dag_id": DAG}]


def test_an_unknown_run_is_a_usage_error(run: Run, runs: FakeRuns) -> None:
    for command in ("show", "watch"):
        completed = run("runs", command, DAG, "nothing")
        assert completed.status == ExitStatus.USAGE
        assert completed.message() == "no such run; did you mean 'manual__1'?"


def test_each_change_is_a_line(run: Run, runs: FakeRuns) -> None:
    runs.states = [BEGUN, BEGUN, RUNNING, RUNNING, DONE]
    completed = run("runs", "watch", DAG, RUN)
    assert (completed.status, completed.err) == (0, "")
    assert without_times(completed) == [
        "run manual__1: queued",
        "run manual__1: running",
        "extract: running",
        "extract: success after 2.5 s",
        "load: success after 2.5 s",
        "run manual__1 of my dag has succeeded after 1 min 05 s: 2 success",
    ]


def test_a_failed_run_is_explained(run: Run, runs: FakeRuns) -> None:
    runs.states, runs.problems = [RUNNING, BROKEN], [FAILED_TASK, {"kind": "running", "message": "x"}]
    completed = run("runs", "watch", DAG)
    assert completed.status == ExitStatus.FAILED
    assert completed.err.splitlines() == [
        "airflow-remote: task extract failed; fix it",
        "airflow-remote: ValueError: no [31m data",
        "airflow-remote: for details: airflow-remote runs diagnose 'my dag' manual__1",
    ]


def test_a_run_that_waits_is_explained_once(
    run: Run, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_following, "STALL_SECONDS", 0.0)
    runs.states = [BEGUN, BEGUN, BEGUN, DONE]
    runs.problems = [{"kind": "dag_paused", "message": "DAG is paused", "advice": "unpause it"}]
    completed = run("runs", "watch", DAG)
    assert (completed.status, completed.err) == (0, "airflow-remote: DAG is paused; unpause it\n")


def test_logs_are_printed_as_tasks_run(run: Run, runs: FakeRuns) -> None:
    retried = task("extract", "success", try_number=2, max_tries=2)
    states = [RUNNING, RUNNING, dag_run("running", task("extract", "up_for_retry", max_tries=2))]
    runs.states = [*states, dag_run("success", retried, task("empty", "success", hostname=""))]
    runs.logs = {("extract", -1, 1): "a\n\x1b[1mb\x1b[0m\nc\n", ("extract", -1, 2): "again\ttab\n"}
    completed = run("runs", "watch", DAG, "--logs")
    assert (completed.status, completed.err) == (0, "")
    lines = without_times(completed)
    assert [line for line in lines if " | " in line] == [
        "extract | a",
        "extract | b",
        "extract | c",
        "extract | again\ttab",
    ]
    assert "extract: up_for_retry" in lines
    assert "extract: success (try 2 of 3) after 2.5 s" in lines


def test_a_missing_log_is_noted(run: Run, runs: FakeRuns) -> None:
    runs.logs = {}
    runs.states = [dag_run("success", task("extract", "success"))]
    completed = run("runs", "watch", DAG, "--logs")
    assert completed.status == 0
    note = "no log of extract: the log is gone; looked for it at /logs/x"
    assert completed.err == f"airflow-remote: {note}\n"


def test_json_is_the_run_at_its_end(run: Run, runs: FakeRuns) -> None:
    runs.states = [RUNNING, DONE]
    completed = run("runs", "watch", DAG, "-o", "json", "--logs")
    assert (completed.status, json.loads(completed.out)) == (0, DONE)
    assert "extract | a" in completed.err


def test_lost_connections_are_retried(run: Run, runs: FakeRuns) -> None:
    runs.states, runs.failures = [RUNNING, DONE], [None, None]
    completed = run("runs", "watch", DAG, RUN)
    assert completed.status == 0
    assert completed.err.count("trying again") == 1


def test_a_server_that_is_gone_ends_the_watch(run: Run, runs: FakeRuns) -> None:
    runs.failures = [None] * 9
    completed = run("runs", "watch", DAG, RUN)
    assert completed.status == ExitStatus.UNREACHABLE
    assert completed.err.endswith("; to follow it again: airflow-remote runs watch 'my dag' manual__1\n")


def test_the_time_limit_ends_the_watch(run: Run, runs: FakeRuns) -> None:
    runs.states = [RUNNING]
    completed = run("runs", "watch", DAG, "--timeout", "0.05s")
    assert completed.status == ExitStatus.TIMED_OUT
    message = "run manual__1 of my dag is still running after 0.05 s; it goes on; to follow it again: "
    assert completed.err == f"airflow-remote: {message}airflow-remote runs watch 'my dag' manual__1\n"


@pytest.mark.parametrize("result", [None, [], {}, {**DONE, "tasks": [{}]}, {**DONE, "state": None}])
def test_an_invalid_response_is_rejected(run: Run, stub: Stub, result: Any) -> None:
    stub.respond_next(reading("", result))
    assert run("runs", "watch", DAG, RUN).status == ExitStatus.NOT_THE_API


def test_a_diagnosis_is_printed(run: Run, runs: FakeRuns) -> None:
    runs.problems = [FAILED_TASK]
    assert run("runs", "diagnose", DAG).out == "the diagnosis\n"
    plain = run("runs", "diagnose", DAG, RUN, "-o", "plain").out
    assert plain == "task_failed\textract\ttask extract failed\tfix it\n"
    assert json.loads(run("runs", "diagnose", DAG, "-o", "json").out)["problems"] == [FAILED_TASK]


@pytest.mark.parametrize("words", [[], ["--dag-id", DAG], ["--dag_id=my dag", "--"]])
def test_options_only_are_those_of_the_endpoint(run: Run, stub: Stub, words: list[str]) -> None:
    completed = run("runs", *words)
    assert (completed.status, completed.out) == (0, "1.7.0\n")
    assert (stub.request.name, stub.request.arguments) == ("runs", {"dag_id": DAG} if words else {})


def test_detach_is_rejected(run: Run, runs: FakeRuns) -> None:
    for line in (["runs", "list"], ["logs", DAG], ["deploy", "x.py"], ["trigger_dag", "d", "--wait"]):
        assert run("--detach", *line).status == ExitStatus.USAGE
    assert runs.requests == []


def test_pages_are_opened(run: Run, stub: Stub, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert run("open", DAG).out == f"{stub.url}/dags/my%20dag\n"
    assert run("open", DAG, RUN).out == f"{stub.url}/dags/my%20dag/runs/manual__1\n"
    unknown = run("open", "mydag")
    assert (unknown.status, unknown.message()) == (ExitStatus.USAGE, "no such DAG; did you mean 'my dag'?")


@pytest.mark.parametrize("url", ["", "//elsewhere.example/", "https://elsewhere.example/", "/\x1b", "/\\e"])
def test_pages_elsewhere_are_not_opened(run: Run, runs: FakeRuns, url: str) -> None:
    runs.states = [dag_run("success", url=url)]
    completed = run("open", DAG, RUN)
    assert (completed.status, completed.out) == (ExitStatus.NOT_THE_API, "")


def test_an_old_server_says_so(run: Run, stub: Stub) -> None:
    stub.respond_next(Response("not found", 404))
    assert run("runs", "list").status == ExitStatus.NOT_THE_API
