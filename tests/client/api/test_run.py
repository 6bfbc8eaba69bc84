"""Run a command with the program: its request, its events and its output."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_remote.exit_status import ExitStatus
from client.program import PATIENCE, Run, Start
from client.raw_stub import LiveStub
from client.responses import (
    STARTED,
    UNFINISHED,
    envelope,
    event,
    finished_event,
    job,
    json_response,
    output_event,
)
from client.stub import FakeJob, Stub

FAILED = {"status": "ERROR", "output": "because", "exit_code": 3, "http_response_code": 422}


# Requests.


def test_program_accepts_events_and_json(run: Run, stub: Stub) -> None:
    run("version")
    headers = stub.request.headers
    assert headers["accept"] == "application/x-ndjson, application/json;q=0.5"
    assert headers["accept-encoding"] == "identity"
    assert "prefer" not in headers


def test_each_command_has_its_own_idempotency_key(run: Run, stub: Stub) -> None:
    run("version")
    run("version")
    first, second = (request.headers["idempotency-key"] for request in stub.requests)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)
    assert first != second


@pytest.mark.parametrize(("timeout", "wait"), [("100", "wait=50"), ("9", "wait=4"), ("1", "wait=0")])
def test_short_timeout_shortens_the_server_wait(run: Run, stub: Stub, timeout: str, wait: str) -> None:
    assert run("--timeout", timeout, "version").status == 0
    assert stub.request.headers["prefer"] == wait


# Events.


def test_output_goes_to_the_matching_stream(run: Run, stub: Stub) -> None:
    stub.stream(
        STARTED,
        output_event("a"),
        output_event("log\n", "stderr"),
        output_event("b\n"),
        finished_event(stdout="ab\n", stderr="log\n"),
    )
    completed = run("version")
    assert (completed.status, completed.out, completed.err) == (0, "ab\n", "log\n")
    assert len(stub.requests) == 1


@pytest.mark.parametrize("protocol", ["HTTP/1.0 200 OK", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"])
def test_output_is_printed_as_it_arrives(live_stub: LiveStub, start: Start, protocol: str) -> None:
    live_stub.head = protocol
    process = start("--url", live_stub.url, "version")
    live_stub.send(STARTED + output_event("first\n"))
    assert process.stdout is not None
    assert process.stdout.read(6) == b"first\n"
    live_stub.send(output_event("second\n") + finished_event(stdout="first\nsecond\n"))
    live_stub.close()
    assert process.communicate(timeout=PATIENCE) == (b"second\n", b"")
    assert process.returncode == 0


def test_output_missing_from_the_stream_is_printed_at_the_end(run: Run, stub: Stub) -> None:
    stub.stream(STARTED, output_event("a"), finished_event(stdout="abc", stderr="e"))
    completed = run("version")
    assert (completed.out, completed.err) == ("abc", "e")


def test_failure_has_the_exit_code_of_the_command(run: Run, stub: Stub) -> None:
    stub.stream(
        STARTED,
        output_event("out"),
        output_event("no", "stderr"),
        finished_event(**FAILED, stdout="out", stderr="no"),
    )
    completed = run("version")
    assert (completed.status, completed.out, completed.err) == (3, "out", "no\nairflow-remote: because\n")
    stub.stream(
        STARTED, output_event("because\n", "stderr"), finished_event(**FAILED, stdout="", stderr="because\n")
    )
    completed = run("version")
    assert (completed.status, completed.err) == (3, "because\n")


def test_warning_starts_on_a_new_line(run: Run, stub: Stub) -> None:
    stub.stream(STARTED, output_event("log", "stderr"), finished_event(stderr="log", warning="careful"))
    assert run("version").err == "log\nairflow-remote: warning: careful\n"


def test_json_option_prints_only_the_envelope(run: Run, stub: Stub) -> None:
    stub.stream(STARTED, output_event("a"), finished_event(stdout="a"))
    completed = run("--json", "version")
    assert '"stdout": "a"' in completed.out
    assert completed.out.startswith("{")


def test_output_file_is_written_when_the_command_ends(run: Run, stub: Stub, tmp_path: Path) -> None:
    stub.stream(STARTED, output_event("{"), output_event("log\n", "stderr"), UNFINISHED)
    stub.job = FakeJob(b"{}\n", b"log\n")
    completed = run("variables", "--export", str(tmp_path / "file"))
    assert (completed.status, completed.out, completed.err) == (0, "", "log\n")
    assert (tmp_path / "file").read_text() == "{}\n"


def test_service_is_not_awaited(run: Run, stub: Stub) -> None:
    stub.stream(event(event="started", job=job(kind="service")), event(event="alive"))
    service = envelope(output="scheduler runs", stdout=None, exit_code=None, job=job(kind="service"))
    stub.respond_next(json_response(service, 202))
    completed = run("scheduler")
    assert (completed.status, completed.out) == (0, "scheduler runs\n")
    first, second = stub.requests
    assert second.headers["accept"] == "application/json"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_server_that_answers_only_with_the_start_of_a_service_is_asked_twice(run: Run, stub: Stub) -> None:
    start = event(event="started", job=job(kind="service"))
    stub.respond(start, kind="application/x-ndjson")
    completed = run("scheduler")
    assert completed.status == ExitStatus.NOT_THE_API
    assert completed.err.count("\n") == 1
    assert "sends events although it was asked for JSON" in completed.err
    assert len(stub.requests) == 2


@pytest.mark.parametrize(
    "lines",
    [
        [b"<html>\n"],
        [output_event("a")],
        [finished_event()],
        [STARTED, b"nonsense\n"],
        [STARTED, event(event="finished", envelope={"status": "FINE"})],
        [STARTED, event(event="finished", envelope=None)],
    ],
    ids=str,
)
def test_invalid_events_are_rejected(run: Run, stub: Stub, lines: list[bytes]) -> None:
    stub.stream(*lines)
    assert run("version").status == ExitStatus.NOT_THE_API
    assert len(stub.requests) == 1
