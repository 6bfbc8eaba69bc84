"""``dags trigger --wait`` and ``trigger_dag --wait``."""

from __future__ import annotations

import json
import signal

import pytest

from airflow_remote.cli import live as live_commands
from airflow_remote.exit_status import ExitStatus
from client.fake_runs import DAG, RUN, FakeRuns, dag_run, task
from client.program import PATIENCE, Run, Start
from client.responses import NOT_RUN, envelope, json_response
from client.stub import Stub
from client.terminal import run_in_terminal

RUNNING = dag_run("running", task("extract", "running"), task("load", None))
DONE = dag_run("success", task("extract", "success"), task("load", "success"))
TRIGGERED = envelope(stdout="created\n", dag_run_id=RUN)
COMMANDS = [["dags", "trigger"], ["trigger_dag"]]


@pytest.fixture
def runs(live: Stub) -> FakeRuns:
    """Return the runs of the stub server, which has the command dags trigger."""
    live.runs = FakeRuns([RUNNING, DONE], {("extract", -1, 1): "a\n", ("load", -1, 1): "d\n"})
    live.respond(TRIGGERED)
    return live.runs


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", ["success", "failed"])
def test_the_outcome_is_the_exit_status(
    run: Run, live: Stub, runs: FakeRuns, command: list[str], state: str
) -> None:
    runs.states = [RUNNING, dag_run(state, task("extract", state))]
    completed = run(*command, DAG, "--wait")
    assert completed.status == (0 if state == "success" else ExitStatus.FAILED)
    assert completed.out == "created\n"
    assert "extract: running" in completed.err
    [request] = [each for each in live.requests if each.method == "POST"]
    chosen = request.arguments.pop("run_id", "")
    assert request.arguments == {"dag_id": DAG}
    assert chosen.startswith("manual__") == (command == ["dags", "trigger"])
    assert runs.queries("dag_run")[0] == {"dag_id": DAG, "run_id": RUN}


@pytest.mark.parametrize("command", COMMANDS)
def test_logs_are_printed_to_standard_output(run: Run, runs: FakeRuns, command: list[str]) -> None:
    completed = run(*command, DAG, "--logs")
    assert (completed.status, completed.out) == (0, "created\nextract | a\nload | d\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_json_stays_json(run: Run, runs: FakeRuns, command: list[str]) -> None:
    completed = run("--json", *command, DAG, "--logs", "--timeout=1h")
    assert (completed.status, json.loads(completed.out)) == (0, TRIGGERED)
    assert "extract | a" in completed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_time_limit_is_an_exit_status(run: Run, runs: FakeRuns, command: list[str]) -> None:
    runs.states = [RUNNING]
    assert run(*command, DAG, "--timeout", "0.01s").status == ExitStatus.TIMED_OUT


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("text", ["", "0", "-1", "1x", "soon", "1m1h", "\u0661"])
def test_invalid_durations_are_rejected(
    run: Run, live: Stub, runs: FakeRuns, command: list[str], text: str
) -> None:
    completed = run(*command, DAG, f"--timeout={text}")
    assert completed.status == ExitStatus.USAGE
    assert "is not a duration" in completed.message()
    assert live.requests == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_failed_trigger_is_not_waited_for(run: Run, live: Stub, runs: FakeRuns, command: list[str]) -> None:
    live.respond(envelope(status="ERROR", output="no such DAG", exit_code=1), 404)
    assert run(*command, DAG, "--wait").status == ExitStatus.FAILED
    assert runs.requests == []


def test_a_response_without_a_run_is_reported(run: Run, live: Stub, runs: FakeRuns) -> None:
    live.respond(envelope(stdout="created\n"))
    completed = run("trigger_dag", DAG, "--wait")
    assert completed.status == ExitStatus.UNSUPPORTED
    assert "airflow-remote runs list 'my dag'" in completed.err


@pytest.mark.parametrize("words", [[], ["--run-id", RUN]])
def test_the_run_is_known_without_the_server(
    run: Run, live: Stub, runs: FakeRuns, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_commands, "new_run_id", lambda: RUN)
    live.respond(envelope(stdout="a table\n"))
    assert run("dags", "trigger", DAG, "--wait", *words).status == 0
    assert runs.queries("dag_run")[0] == {"dag_id": DAG, "run_id": RUN}


def test_abbreviations_of_airflow_win(run: Run, live: Stub, runs: FakeRuns) -> None:
    assert run("dags", "trigger", DAG, "--log", "2026-01-01").status == 0
    assert live.request.arguments == {"dag_id": DAG, "logical_date": "2026-01-01"}


def test_ctrl_c_detaches(live: Stub, runs: FakeRuns, start: Start) -> None:
    runs.states = [RUNNING]
    process = start("--url", live.url, "trigger_dag", DAG, "--wait")
    assert process.stderr is not None
    lines = [process.stderr.readline(), process.stderr.readline()]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (ExitStatus.INTERRUPTED, b"created\n")
    assert lines[1].endswith(b"extract: running\n")
    hint = "the run continues on the server; to follow it again: airflow-remote runs watch 'my dag' manual__1"
    assert err.decode() == f"airflow-remote: interrupted; {hint}\n"


def test_a_terminal_shows_a_live_table(live: Stub, runs: FakeRuns) -> None:
    runs.states = [RUNNING, RUNNING, DONE]
    with run_in_terminal("--url", live.url, "trigger_dag", DAG, "--logs") as terminal:
        status, out = terminal.wait()
    assert (status, out) == (0, "created\nextract | a\nload | d\n")
    screen = terminal.screen
    assert "\x1b[36m  > extract  running" in screen
    assert "\x1b[3A\r\x1b[J" in screen
    assert screen.rstrip().endswith("has succeeded after 1 min 05 s: 2 success")


def test_ctrl_c_leaves_the_table(live: Stub, runs: FakeRuns) -> None:
    runs.states = [RUNNING]
    with run_in_terminal("--url", live.url, "trigger_dag", DAG, "--wait") as terminal:
        terminal.read_until("extract  running")
        terminal.type("\x03")
        status, _ = terminal.wait()
    assert status == ExitStatus.INTERRUPTED
    assert "airflow-remote runs watch 'my dag' manual__1" in terminal.screen


def test_lost_connections_are_retried(run: Run, runs: FakeRuns) -> None:
    runs.failures = [None, json_response(envelope(**NOT_RUN, status="ERROR", output="busy"), 503)]
    completed = run("trigger_dag", DAG, "--wait")
    assert completed.status == 0
    assert completed.err.count("trying again") == 1
