"""Lost connections while a command runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from werkzeug.wrappers import Response

from airflow_remote import errors
from airflow_remote.api.job import Job
from airflow_remote.client import Client
from airflow_remote.models import Result
from client.program import Run, call
from client.raw_stub import LiveStub, RawStub
from client.responses import (
    JOB_ID,
    NOT_RUN,
    STARTED,
    UNFINISHED,
    envelope,
    event,
    event_response,
    finished_event,
    job,
    json_response,
    output_event,
)
from client.stub import FakeJob, Stub

GATEWAY = Response("<h1>Bad Gateway</h1>", 502, content_type="text/html")
NOT_NOW = json_response(envelope(status="ERROR", output="store locked", stdout=None, exit_code=None), 503)


class Observed(NamedTuple):
    """A command run by the Python API.

    :param result: its result, or the error that it raised
    :param output: the calls of ``on_output``
    :param notices: the calls of ``notify``
    """

    result: Result | errors.RemoteError
    output: list[tuple[str, str]]
    notices: list[str]


Observe = Callable[[], Observed]
"""The fixture ``observe``."""


@pytest.fixture
def observe(stub: Stub) -> Observe:
    """Return a function that runs a command by the Python API."""

    def observe() -> Observed:
        output: list[tuple[str, str]] = []
        notices: list[str] = []
        client = Client(stub.url, notify=notices.append)
        result: Result | errors.RemoteError
        try:
            result = client.run("version", on_output=lambda stream, text: output.append((stream, text)))
        except errors.RemoteError as error:
            result = error
        return Observed(result, output, notices)

    return observe


def test_lost_command_is_resent_with_the_same_key(run: Run, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "dag.py").write_text("pass\n" * 1000)
    stub.respond_next(
        None, None, GATEWAY, event_response([STARTED, output_event("done"), finished_event(stdout="done")])
    )
    completed = run("deploy_dag", str(tmp_path / "dag.py"))
    assert (completed.status, completed.out) == (0, "done")
    [line] = completed.err.splitlines()
    assert line.startswith("airflow-remote: the connection to http://127.0.0.1")
    assert line.endswith("; trying again")
    assert len(stub.requests) == 4
    assert len({request.headers["idempotency-key"] for request in stub.requests}) == 1
    assert all(len(request.files["dag_file"][1]) == 5000 for request in stub.requests)


def test_client_gives_up_after_three_retries(observe: Observe, stub: Stub) -> None:
    stub.respond_next(*[None] * 9)
    error, _, notices = observe()
    assert type(error) is errors.LostError
    assert str(error).endswith("; the command may have been run")
    assert len(notices) == 1
    assert len(stub.requests) == 4


def test_busy_response_is_not_retried(observe: Observe, stub: Stub) -> None:
    stub.respond_next(None, NOT_NOW)
    assert type(observe()[0]) is errors.BusyError
    assert len(stub.requests) == 2


def test_first_gateway_error_is_not_retried(observe: Observe, stub: Stub) -> None:
    stub.respond_next(GATEWAY)
    assert type(observe()[0]) is errors.GatewayError
    assert len(stub.requests) == 1


def test_stream_without_events_is_retried(observe: Observe, stub: Stub) -> None:
    stub.stream(STARTED[:20])
    stub.stream(STARTED, output_event("a"), finished_event(stdout="a"))
    result, output, notices = observe()
    assert isinstance(result, Result)
    assert (result.ok, output, len(notices), len(stub.requests)) == (True, [("stdout", "a")], 1, 2)


@pytest.mark.parametrize("rest", [b"", output_event("never whole")[:-9], event(event="alive")])
def test_lost_stream_resumes_where_it_ended(observe: Observe, stub: Stub, rest: bytes) -> None:
    stub.stream(STARTED, output_event("ab"), output_event("e", "stderr"), rest)
    stub.job = FakeJob(b"abcd", b"e")
    result, output, notices = observe()
    assert isinstance(result, Result)
    assert result.stdout == "abcd"
    assert output == [("stdout", "ab"), ("stderr", "e"), ("stdout", "cd")]
    assert notices == [
        f"the connection to {stub.url}/admin/rest_api was lost while the command ran; trying again"
    ]
    assert len(stub.requests_named("version")) == 1


def test_failed_polls_are_retried(observe: Observe, stub: Stub) -> None:
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(b"out", failures=[None, GATEWAY, NOT_NOW])
    result, output, notices = observe()
    assert isinstance(result, Result)
    assert (result.ok, output, len(notices)) == (True, [("stdout", "out")], 1)


def test_lasting_poll_failure_says_that_the_job_continues(observe: Observe, stub: Stub) -> None:
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(failures=[None] * 9)
    error, _, _ = observe()
    assert type(error) is errors.LostError
    assert str(error).endswith(
        f"; job {JOB_ID} is still running; run `airflow-remote job wait {JOB_ID}` to follow it"
    )
    assert len(stub.requests_named("output")) == 4


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (json_response(envelope(**NOT_RUN, status="ERROR", output="expired"), 403), errors.RefusedError),
        (Response("<form>", content_type="text/html"), errors.NotTheApiError),
    ],
    ids=["expired token", "login page"],
)
def test_refused_poll_says_that_the_job_may_continue(
    observe: Observe, stub: Stub, response: Response, kind: type[errors.RemoteError]
) -> None:
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(failures=[response])
    error, _, _ = observe()
    assert type(error) is kind
    assert str(error).endswith(f"; job {JOB_ID} may still be running: see `airflow-remote job wait {JOB_ID}`")


def test_silent_stream_does_not_end_the_command(live_stub: LiveStub) -> None:
    live_stub.head = "HTTP/1.0 200 OK"
    threading.Thread(target=live_stub.send, args=(STARTED + output_event("a"),)).start()
    notices: list[str] = []
    with pytest.raises(errors.RemoteError, match=f"job {JOB_ID} is still running"):
        Client(live_stub.url, timeout=1.0, notify=notices.append).run("version", on_output=lambda *_: None)
    assert notices == [
        f"no response from {live_stub.url}/admin/rest_api within 1 s (see --timeout); trying again"
    ]


def test_incomplete_chunk_is_a_lost_connection(raw_stub: RawStub) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw_stub.data = head + b"5\r\nabc"
    assert "lost" in call("--url", raw_stub.url, "version").final_message()


def test_detached_command_is_not_followed(stub: Stub) -> None:
    stub.respond_next(json_response(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    result = Client(stub.url).run("version", wait=False)
    assert result.job == job()
    assert stub.request.headers["prefer"] == "respond-async"


def test_on_start_receives_the_running_job(stub: Stub) -> None:
    jobs: list[Job] = []
    stub.stream(STARTED, finished_event())
    Client(stub.url).run("version", on_start=jobs.append)
    assert [job.id for job in jobs] == [JOB_ID]


def test_one_client_serves_several_threads(stub: Stub) -> None:
    client = Client(stub.url)
    results: list[Result] = []
    threads = [threading.Thread(target=lambda: results.append(client.run("version"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
