"""Polls for the output of a job."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from airflow_remote.api import tail
from airflow_remote.api.jobs import JobsApi, parse_sizes
from airflow_remote.api.tail import Tail
from airflow_remote.errors import UnreachableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.http.connection import open_connection
from airflow_remote.http.retry import RetryPolicy
from airflow_remote.http.session import Session
from client.program import Run
from client.responses import JOB_ID, job, json_response
from client.stub import FakeJob, Stub


@given(
    out=st.binary(max_size=60),
    err=st.binary(max_size=60),
    step=st.integers(1, 40),
    silent=st.integers(0, 3),
    tells=st.booleans(),
)
def test_every_byte_arrives_once_and_in_order(
    shared_stub: Stub, out: bytes, err: bytes, step: int, silent: int, tells: bool
) -> None:
    shared_stub.reset()
    shared_stub.job = FakeJob(out, err, step=step, silent_polls=silent, tells_state=tells)
    received = {"stdout": b"", "stderr": b""}
    session = Session(shared_stub.url, None, 10.0)
    with open_connection(session) as connection:
        offsets = {"stdout": 0, "stderr": len(err) // 2}
        for stream, data in Tail(JobsApi(connection), JOB_ID, offsets, RetryPolicy(print), 10.0):
            assert 0 < len(data) <= step
            received[stream] += data
    assert received == {"stdout": out, "stderr": err[len(err) // 2 :]}


@pytest.mark.parametrize(("timeout", "wait"), [(150.0, "2"), (3.0, "1"), (0.5, "0")])
def test_poll_wait_is_shorter_than_the_timeout(stub: Stub, timeout: float, wait: str) -> None:
    stub.job = FakeJob(silent_polls=4)
    with open_connection(Session(stub.url, None, timeout)) as connection:
        assert not list(Tail(JobsApi(connection), JOB_ID, {"stderr": 0}, RetryPolicy(print), timeout))
    waits = [request.query["wait"] for request in stub.requests_named("output")]
    assert waits == [wait] * 4 + ["0"]


def test_one_request_is_enough_while_nothing_happens(stub: Stub) -> None:
    stub.job = FakeJob(silent_polls=4, tells_state=True)
    offsets = {"stdout": 0, "stderr": 0}
    with open_connection(Session(stub.url, None, 10.0)) as connection:
        assert not list(Tail(JobsApi(connection), JOB_ID, offsets, RetryPolicy(print), 10.0))
    polls = [(request.query["stream"], request.query["wait"]) for request in stub.requests_named("output")]
    # The last poll tells that the job has ended, and both streams are read to their ends.
    assert polls == [*[("stdout", "2")] * 4, ("stderr", "0"), ("stdout", "0"), ("stderr", "0")]
    assert len(stub.requests) == len(polls), "nobody asks for the state"


@pytest.mark.parametrize(
    "header", ["", "stdout", "stdout=x", "stdout=-1", "=3", "stdout=²", f"stdout={'9' * 5000}"]
)
def test_invalid_sizes_are_ignored(header: str) -> None:
    assert parse_sizes(header).get("stdout") is None


def test_pauses_grow_while_the_server_does_not_hold_polls(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("airflow_remote.api.tail.time.sleep", pauses.append)
    stub.job = FakeJob(silent_polls=12, tells_state=True)
    with open_connection(Session(stub.url, None, 10.0)) as connection:
        list(Tail(JobsApi(connection), JOB_ID, {"stdout": 0}, RetryPolicy(print), 10.0))
    assert len(pauses) >= 10
    assert max(pauses) <= tail.MAX_ROUND_SECONDS
    assert pauses[-1] > 3 * pauses[0]


def test_poll_waits_for_the_stream_with_the_latest_output(stub: Stub) -> None:
    stub.job = FakeJob(b"", b"log")
    with open_connection(Session(stub.url, None, 10.0)) as connection:
        list(Tail(JobsApi(connection), JOB_ID, {"stdout": 0, "stderr": 0}, RetryPolicy(print), 10.0))
    polls = [(request.query["stream"], request.query["wait"]) for request in stub.requests_named("output")]
    assert polls == [
        ("stdout", "2"),
        ("stderr", "0"),
        ("stderr", "2"),
        ("stdout", "0"),
        ("stderr", "0"),
        ("stdout", "0"),
    ]


def test_output_of_a_service_that_starts_over_is_followed(stub: Stub) -> None:
    def part(offset: int, data: bytes, size: int, state: str = "running") -> Response:
        headers = {
            "Airflow-Remote-Next-Offset": str(offset + len(data)),
            "Airflow-Remote-Job-State": state,
            "Airflow-Remote-Output-Sizes": f"stderr={size}",
        }
        return Response(data, 200, headers, content_type="text/plain")

    stub.respond_next(
        part(0, b"old log\n", 8),
        part(8, b"", 4),
        part(0, b"new\n", 4),
        part(4, b"", 4, "stopped"),
        part(4, b"", 4),
    )
    with open_connection(Session(stub.url, None, 10.0)) as connection:
        received = list(Tail(JobsApi(connection), JOB_ID, {"stderr": 0}, RetryPolicy(print), 10.0))
    assert received == [("stderr", b"old log\n"), ("stderr", b"new\n")]


def test_unreachable_server_is_not_retried() -> None:
    notices: list[str] = []
    with open_connection(Session("http://127.0.0.1:1", None, 1.0)) as connection:
        polls = Tail(JobsApi(connection), JOB_ID, {"stdout": 0}, RetryPolicy(notices.append), 1.0)
        with pytest.raises(UnreachableError):
            next(iter(polls))
    assert notices == []


def test_output_from_another_offset_is_not_taken(run: Run, stub: Stub) -> None:
    stub.respond_next(json_response(job()))
    headers = {"Airflow-Remote-Next-Offset": "3"}
    stub.respond(b"abc", kind="text/plain", headers=headers)  # as a cache answers that ignores the query
    completed = run("job", "output", JOB_ID)
    assert (completed.status, completed.out) == (ExitStatus.NOT_THE_API, "abc")
    assert completed.err.count("\n") == 1
    assert len(stub.requests_named("output")) == 2


def test_empty_page_of_jobs_does_not_end_the_list(run: Run, stub: Stub) -> None:
    found = job(state="failed")
    stub.respond_next(
        json_response({"jobs": [], "next": "c"}),
        json_response({"jobs": [found], "next": "b"}),
        json_response({"jobs": [], "next": "b"}),
    )
    completed = run("job", "list", "--output=json")
    assert completed.status == 0
    assert json.loads(completed.stdout) == {"jobs": [found]}
    assert [request.query.get("before") for request in stub.requests] == [None, "c", "b"]


def test_endless_list_of_empty_pages_ends(run: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_remote.api import pages

    monkeypatch.setattr(pages, "MAX_EMPTY", 3)
    stub.respond_next(*(json_response({"jobs": [], "next": str(number)}) for number in range(4)))
    completed = run("job", "list", "--output=json")
    assert (completed.status, json.loads(completed.stdout)) == (0, {"jobs": []})
    assert len(stub.requests) == 3
