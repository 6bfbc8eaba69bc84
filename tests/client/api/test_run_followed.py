"""Commands that run longer than their request: the client follows the job."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_remote.api import tail
from airflow_remote.client import Client
from airflow_remote.exit_status import ExitStatus
from client.program import Run
from client.responses import STARTED, UNFINISHED, envelope, event, job, json_response, output_event
from client.stub import FakeJob, Stub


def test_command_is_followed_after_the_stream_ends(run: Run, stub: Stub) -> None:
    out, err = "é\n".encode() * 50, b"\xff log\n"
    stub.stream(STARTED, output_event("é\n" * 3), output_event("\ufffd l", "stderr"), UNFINISHED)
    stub.job = FakeJob(out, err, step=7, silent_polls=2)
    completed = run("version")
    assert (completed.status, completed.stdout, completed.err) == (0, out, "\ufffd log\n")
    [first, *_] = [
        request for request in stub.requests_named("output") if request.query["stream"] == "stdout"
    ]
    assert first.query["offset"] == "9"
    assert len(stub.requests_named("version")) == 1


def test_followed_failure_has_its_exit_code_and_message(run: Run, stub: Stub) -> None:
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(b"out", b"err", {"state": "failed", "exit_code": 3, "message": "because"})
    completed = run("version")
    assert (completed.status, completed.out, completed.err) == (3, "out", "err\nairflow-remote: because\n")


@pytest.mark.parametrize(
    ("end", "status", "message"),
    [
        ({"state": "stopped", "exit_code": -15, "message": "the command was stopped"}, 143, "was stopped"),
        ({"state": "stopped", "exit_code": None, "message": "it was stopped"}, 1, "it was stopped"),
        ({"state": "timed_out", "exit_code": -9, "message": "the command ran over 1 s"}, 137, "over 1 s"),
        ({"state": "timed_out"}, 1, "the command has timed out"),
        ({"state": "lost", "exit_code": None, "message": "job lost: it completed"}, 1, "job lost"),
        ({"state": "failed", "exit_code": 0}, 1, "the command has failed"),
        ({"state": "of the future"}, 1, "the command has of the future"),
    ],
    ids=str,
)
def test_unsuccessful_job_states_are_failures(
    run: Run, stub: Stub, end: dict[str, Any], status: int, message: str
) -> None:
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(end=end)
    completed = run("version")
    assert completed.status == status
    assert message in completed.message()


def test_response_202_is_followed(stub: Stub) -> None:
    stub.respond_next(json_response(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    runs = '[{"dag_run_id": "r"}]\n'
    end = {"state": "succeeded", "exit_code": 0, "name": "trigger_dag", "airflow_cmd": "airflow dags trigger"}
    times = {"created": "2016-11-29T14:22:26.000+00:00", "ended": "2016-11-29T15:22:29+00:00"}
    stub.job = FakeJob(runs.encode(), b"log", {**end, **times, "arguments": {"dag_id": "x"}})
    result = Client(stub.url).run("trigger_dag", dag_id="x")
    assert result.ok
    assert result.envelope == {
        "airflow_cmd": "airflow dags trigger",
        "arguments": {"dag_id": "x"},
        "call_time": "Tue, 29 Nov 2016 14:22:26 GMT",
        "output": runs[:-1],
        "response_time": "Tue, 29 Nov 2016 15:22:29 GMT",
        "status": "OK",
        "http_response_code": 200,
        "exit_code": 0,
        "stdout": runs,
        "stderr": "log",
        "result": [{"dag_run_id": "r"}],
        "dag_run_id": "r",
        "job": job(state="succeeded"),
    }


def test_response_202_without_a_job_is_final(run: Run, stub: Stub) -> None:
    stub.respond(envelope(output="runs", stdout=None, exit_code=None, job={"kind": "command"}), 202)
    assert run("version").out == "runs\n"


def test_removed_job_is_reported(run: Run, stub: Stub) -> None:
    stub.stream(event(event="started", job=job(id="gone")), event(event="unfinished", job=job(id="gone")))
    stub.job = FakeJob()
    completed = run("version")
    assert (completed.status, completed.message()) == (ExitStatus.USAGE, "no such job")


def test_polls_are_paced_if_the_server_does_not_wait(
    run: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MIN_ROUND_SECONDS", 0.1)
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(silent_polls=6)
    began = time.monotonic()
    assert run("version").status == 0
    assert time.monotonic() - began > 0.15
