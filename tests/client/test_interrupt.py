"""Ctrl-C in real processes."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest
from stub import JOB_ID, STARTED, FakeJob, answered, envelope, job, printed, streamed

from airflow_remote.exit_status import ExitStatus

ENDLESS = 10**9


def interrupted(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert out == b""
    return err.decode()


@pytest.fixture
def wait_for(stub):
    def wait_for(condition):
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait_for


def test_a_command_that_streams_is_stopped(live_stub, start):
    process = start("--url", live_stub.url, "version")
    live_stub.head = "HTTP/1.0 200 OK"
    live_stub.send(STARTED + printed("a"))
    assert process.stdout.read(1) == b"a"
    process.send_signal(signal.SIGINT)
    request = live_stub.next_request()
    assert request.startswith(f"POST /admin/rest_api/api/v1.0/jobs/{JOB_ID}/stop HTTP/1.1\r\n".encode())
    live_stub.answer(answered(job(), 202))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (ExitStatus.INTERRUPTED, b"")
    assert err.decode() == f"airflow-remote: interrupted; job {JOB_ID} has been told to stop\n"


def test_a_second_one_leaves_at_once(live_stub, start):
    process = start("--url", live_stub.url, "version")
    live_stub.head = "HTTP/1.0 200 OK"
    live_stub.send(STARTED + printed("a"))
    assert process.stdout.read(1) == b"a"
    process.send_signal(signal.SIGINT)
    live_stub.next_request()
    assert interrupted(process) == ""


def test_a_job_that_is_followed_is_stopped(stub, start, wait_for):
    stub.job = FakeJob(silent=ENDLESS)
    stub.at_first(answered(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    process = start("--url", stub.url, "variables", "-e", "-")
    wait_for(lambda: stub.named("output"))
    assert interrupted(process) == f"airflow-remote: interrupted; job {JOB_ID} has been told to stop\n"
    assert stub.job.stops == [{"force": False}]


def test_a_job_that_cannot_be_stopped_is_said_to_go_on(stub, start, wait_for):
    stub.job = FakeJob(silent=ENDLESS)
    stub.at_first(streamed([STARTED, printed("half a line", "stderr")]))
    process = start("--url", stub.url, "version")
    wait_for(lambda: len(stub.named("output")) > 2)
    stub.job.failures = [None] * 99
    said = interrupted(process)
    assert said.startswith("half a line\nairflow-remote: the connection to")
    assert f"\nairflow-remote: interrupted; job {JOB_ID} could not be stopped: " in said


@pytest.mark.parametrize("line", [["job", "wait", JOB_ID], ["job", "output", "-f", JOB_ID]])
def test_a_job_that_is_only_watched_goes_on(stub, start, wait_for, line):
    stub.job = FakeJob(silent=ENDLESS)
    process = start("--url", stub.url, *line)
    wait_for(lambda: stub.named("output"))
    assert interrupted(process) == f"airflow-remote: interrupted; job {JOB_ID} goes on on the server\n"
    assert stub.job.stops == []
