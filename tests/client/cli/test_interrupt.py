"""Ctrl-C, SIGTERM and SIGHUP in real processes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from airflow_remote.exit_status import ExitStatus
from client.program import PATIENCE, Start, call
from client.raw_stub import LiveStub
from client.responses import JOB_ID, STARTED, envelope, event_response, job, json_response, output_event
from client.stub import FakeJob, Stub

ENDLESS = 10**9


def interrupt(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert out == b""
    return err.decode()


@contextlib.contextmanager
def inherited(number: signal.Signals, handler: signal.Handlers) -> Iterator[None]:
    """Set how the processes that are started in the block react to a signal: tests may run under nohup."""
    previous = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, previous)


WaitFor = Callable[[Callable[[], object]], None]
"""The fixture ``wait_for``."""


@pytest.fixture
def wait_for() -> WaitFor:
    """Return a function that waits for a condition."""

    def wait_for(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait_for


def test_ctrl_c_stops_a_streaming_command(live_stub: LiveStub, start: Start) -> None:
    process = start("--url", live_stub.url, "version")
    live_stub.head = "HTTP/1.0 200 OK"
    live_stub.send(STARTED + output_event("a"))
    assert process.stdout is not None
    assert process.stdout.read(1) == b"a"
    process.send_signal(signal.SIGINT)
    request = live_stub.next_request()
    assert request.startswith(f"POST /admin/rest_api/api/v1.0/jobs/{JOB_ID}/stop HTTP/1.1\r\n".encode())
    live_stub.respond(json_response(job(), 202))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (ExitStatus.INTERRUPTED, b"")
    assert err.decode() == f"airflow-remote: interrupted; job {JOB_ID} has been told to stop\n"


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, ExitStatus.TERMINATED), (signal.SIGHUP, ExitStatus.HUNG_UP)],
)
def test_ended_program_stops_its_command(
    stub: Stub,
    start: Start,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    status: ExitStatus,
) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # coverage has a handler for SIGTERM
    stub.job = FakeJob(silent_polls=ENDLESS)
    stub.respond_next(json_response(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    with inherited(number, signal.SIG_DFL):
        process = start("--url", stub.url, "variables", "-e", "-")
    wait_for(lambda: stub.requests_named("output"))
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (status, b"")
    assert err.decode() == f"airflow-remote: interrupted; job {JOB_ID} has been told to stop\n"
    assert stub.job.stop_requests == [{"force": False}]


def test_command_continues_under_nohup(stub: Stub, start: Start, wait_for: WaitFor) -> None:
    stub.job = FakeJob(silent_polls=ENDLESS)
    stub.respond_next(json_response(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    with inherited(signal.SIGHUP, signal.SIG_IGN):
        process = start("--url", stub.url, "variables", "-e", "-")
    wait_for(lambda: stub.requests_named("output"))
    process.send_signal(signal.SIGHUP)
    polls = len(stub.requests_named("output"))
    wait_for(lambda: len(stub.requests_named("output")) > polls)
    assert process.poll() is None
    assert stub.job.stop_requests == []


def test_signal_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert call("--version").status == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_second_ctrl_c_exits_at_once(live_stub: LiveStub, start: Start) -> None:
    process = start("--url", live_stub.url, "version")
    live_stub.head = "HTTP/1.0 200 OK"
    live_stub.send(STARTED + output_event("a"))
    assert process.stdout is not None
    assert process.stdout.read(1) == b"a"
    process.send_signal(signal.SIGINT)
    live_stub.next_request()
    assert interrupt(process) == ""


def test_ctrl_c_stops_a_followed_job(stub: Stub, start: Start, wait_for: WaitFor) -> None:
    stub.job = FakeJob(silent_polls=ENDLESS)
    stub.respond_next(json_response(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    process = start("--url", stub.url, "variables", "-e", "-")
    wait_for(lambda: stub.requests_named("output"))
    assert interrupt(process) == f"airflow-remote: interrupted; job {JOB_ID} has been told to stop\n"
    assert stub.job.stop_requests == [{"force": False}]


def test_failed_stop_is_reported(stub: Stub, start: Start, wait_for: WaitFor) -> None:
    stub.job = FakeJob(silent_polls=ENDLESS)
    stub.respond_next(event_response([STARTED, output_event("half a line", "stderr")]))
    process = start("--url", stub.url, "version")
    wait_for(lambda: len(stub.requests_named("output")) > 2)
    stub.job.failures = [None] * 99
    message = interrupt(process)
    assert message.startswith("half a line\nairflow-remote: the connection to")
    assert f"\nairflow-remote: interrupted; job {JOB_ID} could not be stopped: " in message


@pytest.mark.parametrize("line", [["job", "wait", JOB_ID], ["job", "output", "-f", JOB_ID]])
def test_watched_job_continues_after_ctrl_c(
    stub: Stub, start: Start, wait_for: WaitFor, line: list[str]
) -> None:
    stub.job = FakeJob(silent_polls=ENDLESS)
    process = start("--url", stub.url, *line)
    wait_for(lambda: stub.requests_named("output"))
    assert interrupt(process) == f"airflow-remote: interrupted; job {JOB_ID} continues on the server\n"
    assert stub.job.stop_requests == []
