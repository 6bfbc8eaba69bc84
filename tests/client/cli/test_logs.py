"""``logs``: the logs of a run's tasks."""

from __future__ import annotations

import json

import pytest

from airflow_remote.exit_status import ExitStatus
from client.fake_runs import DAG, RUN, FakeRuns, dag_run, task
from client.program import Run
from client.stub import Stub

TASKS = (
    task("extract", "success"),
    task("load", "failed", map_index=0),
    task("load", "success", map_index=1, try_number=2),
    task("report", "upstream_failed"),
    task("empty", "success", hostname=""),
)
LOGS = {
    ("extract", -1, 1): "a\nb\nc\n",
    ("load", 0, 1): "\x1b[31mbad\x1b[0m\n",
    ("load", 1, 1): "first\n",
    ("load", 1, 2): "second\n",
}


@pytest.fixture
def runs(stub: Stub) -> FakeRuns:
    """Return the runs of the stub server."""
    stub.runs = FakeRuns([dag_run("failed", *TASKS)], dict(LOGS))
    return stub.runs


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["extract"], "a\nb\nc\n"),
        (["load", "--map-index", "0"], "\x1b[31mbad\x1b[0m\n"),
        (["load", "--map-index", "1"], "second\n"),
        (["load", "--map-index", "1", "--try", "1"], "first\n"),
        (["-f", "extract"], "a\nb\nc\n"),
        (["--failed"], "\x1b[31mbad\x1b[0m\n"),
    ],
)
def test_one_log_is_printed_as_it_is(run: Run, runs: FakeRuns, words: list[str], text: str) -> None:
    completed = run("logs", DAG, RUN, *words)
    assert (completed.status, completed.out, completed.err) == (0, text, "")


def test_several_logs_have_headings(run: Run, runs: FakeRuns) -> None:
    completed = run("logs", DAG)
    assert (completed.status, completed.err) == (0, "")
    assert completed.out == (
        "==> extract: success after 2.5 s <==\na\nb\nc\n\n"
        "==> load[0]: failed after 2.5 s <==\n\x1b[31mbad\x1b[0m\n\n"
        "==> load[1]: success (try 2 of 2) after 2.5 s <==\nsecond\n"
    )
    assert runs.queries("dag_run") == [{"dag_id": DAG}]
    assert run("logs", DAG, "-t", "load").out.count("==> load[") == 2


def test_a_missing_log_leaves_the_others(run: Run, runs: FakeRuns) -> None:
    del runs.logs["load", 0, 1]
    completed = run("logs", DAG, RUN, "load")
    assert completed.status == 0
    assert "second" in completed.out
    assert completed.err == "airflow-remote: no log of load[0]: the log is gone; looked for it at /logs/x\n"
    runs.logs.clear()
    assert run("logs", DAG, RUN).status == ExitStatus.USAGE
    alone = run("logs", DAG, RUN, "extract")
    assert (alone.status, alone.message()) == (ExitStatus.USAGE, "the log is gone; looked for it at /logs/x")


def test_an_unknown_task_is_a_usage_error(run: Run, runs: FakeRuns) -> None:
    completed = run("logs", DAG, RUN, "extrat")
    message = "no such task; did you mean 'extract'?"
    assert (completed.status, completed.message()) == (ExitStatus.USAGE, message)


def test_nothing_to_print_is_said(run: Run, runs: FakeRuns) -> None:
    runs.states = [dag_run("success", task("extract", "success"))]
    where, state = f"run {RUN} of {DAG}", "the state of the run is"
    assert run("logs", DAG, "--failed").message() == f"no task of {where} has failed; {state} success"
    said = run("logs", DAG, RUN, "extract", "--failed").message()
    assert said == f"no instance of task extract of {where} has failed; {state} success"
    runs.states = [dag_run("queued", task("extract", None))]
    assert run("logs", DAG).message() == f"no task of {where} has run yet; {state} queued"


def test_json_is_a_line_for_each_part(run: Run, runs: FakeRuns) -> None:
    parts = [json.loads(line) for line in run("--json", "logs", DAG, RUN, "extract").out.splitlines()]
    assert [part["text"] for part in parts] == ["a\nb\n", "c\n"]
    assert (parts[1]["complete"], parts[0]["task_id"]) == (True, "extract")


def test_all_tasks_are_followed(run: Run, runs: FakeRuns) -> None:
    running = dag_run("running", task("extract", "running"), task("load", None))
    done = dag_run("success", task("extract", "success"), task("load", "success"))
    runs.states = [running, running, done]
    runs.logs["load", -1, 1] = "x\n"
    completed = run("logs", DAG, "-f")
    assert completed.status == 0
    assert completed.out == "extract | a\nextract | b\nextract | c\nload | x\n"
    assert "extract: running" in completed.err


def test_a_followed_log_waits_for_its_task(run: Run, runs: FakeRuns) -> None:
    done = dag_run("success", task("extract", "success"))
    runs.states = [dag_run("running", task("extract", "running")), done]
    runs.growth = ["a\n", "a\nb\n", "a\nb\n", "a\nb\nc\n"]
    completed = run("logs", DAG, RUN, "extract", "--follow")
    assert (completed.status, completed.out) == (0, "a\nb\nc\n")


def test_a_followed_log_goes_on_with_the_next_try(run: Run, runs: FakeRuns) -> None:
    waiting = dag_run("running", task("extract", "up_for_retry"))
    done = dag_run("success", task("extract", "success", try_number=2))
    runs.states = [waiting, waiting, done]
    runs.logs = {("extract", -1, 1): "one\n", ("extract", -1, 2): "two\n"}
    completed = run("logs", DAG, RUN, "extract", "--follow")
    assert (completed.status, completed.out) == (0, "one\ntwo\n")


def test_json_of_all_followed_tasks_is_refused(run: Run, runs: FakeRuns) -> None:
    completed = run("--json", "logs", DAG, "-f")
    assert completed.status == ExitStatus.USAGE
    assert "--json with --follow needs a task" in completed.err + completed.out


@pytest.mark.parametrize(
    "words",
    [
        [RUN, "extract", "-t", "load"],
        ["--map-index", "1"],
        ["-f", "--failed"],
        ["-f", "--try", "1"],
        ["--try", "0"],
    ],
)
def test_options_that_do_not_fit_are_rejected(run: Run, runs: FakeRuns, words: list[str]) -> None:
    assert run("logs", DAG, *words).status == ExitStatus.USAGE
    assert runs.requests == []
