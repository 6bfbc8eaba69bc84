"""Jobs in the Python API."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_remote import errors
from airflow_remote.client import Client
from client.responses import JOB_ID, envelope, job, json_response
from client.stub import FakeJob, Stub

FAILED = {"state": "failed", "exit_code": 3, "message": "because"}
RUNS = json_response(envelope(output="version runs", stdout=None, exit_code=None, job=job()), 202)


@pytest.fixture
def client(stub: Stub) -> Client:
    return Client(stub.url, "s3cret-token")


def test_submitted_command_can_be_awaited_later(client: Client, stub: Stub) -> None:
    stub.respond_next(RUNS)
    stub.job = FakeJob(b"3.3.2\n", b"log")
    submitted = client.submit("version")
    assert stub.request.headers["prefer"] == "respond-async"
    assert (submitted.id, submitted.state, submitted.kind) == (JOB_ID, "running", "command")
    assert (submitted.ended, submitted.exit_code, submitted.message) == (False, None, "")
    assert repr(submitted) == f"Job('{JOB_ID}', 'running')"
    output = []
    result = submitted.wait(lambda *text: output.append(text))
    assert (result.stdout, result.stderr, result.output) == ("3.3.2\n", "log", "3.3.2")
    assert output == [("stdout", "3.3.2\n"), ("stderr", "log")]
    assert (submitted.state, submitted.ended, submitted.exit_code) == ("succeeded", True, 0)
    assert all("rest-api-plugin-http-token" in request.headers for request in stub.requests)


def test_waiting_for_a_failed_job_raises_the_same_error(client: Client, stub: Stub) -> None:
    stub.job = FakeJob(b"out", end=FAILED)
    job_ = client.job(JOB_ID)
    with pytest.raises(errors.CommandFailedError, match="because") as caught:
        job_.wait()
    assert (caught.value.result.exit_code, caught.value.result.stdout) == (3, "out")
    assert (job_.state, job_.exit_code, job_.message) == ("failed", 3, "because")


def test_submit_returns_the_job_of_a_failed_command(client: Client, stub: Stub) -> None:
    response = envelope(status="ERROR", output="no DAG", exit_code=1, job=job(state="failed"))
    stub.respond_next(json_response(response, 404))
    assert client.submit("pause", dag_id="x").state == "failed"


def test_refused_command_has_no_job(client: Client, stub: Stub) -> None:
    refused = envelope(status="ERROR", output="no", stdout=None, stderr=None, exit_code=None)
    stub.respond_next(json_response(refused, 400))
    with pytest.raises(errors.ArgumentsError):
        client.submit("version")


def test_submit_fails_if_the_server_creates_no_job(client: Client, stub: Stub) -> None:
    stub.respond(envelope())
    with pytest.raises(
        errors.UnsupportedError, match="responded to version without creating a job"
    ) as caught:
        client.submit("version")
    assert caught.value.result.stdout == "1.7.0\n"


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a b", "é", "a" * 101, "a?b", "a\n"])
def test_unsafe_job_id_is_rejected(client: Client, stub: Stub, job_id: str) -> None:
    with pytest.raises(errors.UnusableError, match="is not a valid job id"):
        client.job(job_id)
    assert stub.requests == []


def test_unknown_job_raises(client: Client, stub: Stub) -> None:
    stub.job = FakeJob()
    with pytest.raises(errors.ArgumentsError, match="no such job"):
        client.job("another")


def test_job_output_is_exact(client: Client, stub: Stub) -> None:
    stub.job = FakeJob(b"a\xff\r\nb", b"err", step=2, silent_polls=3)
    job_ = client.job(JOB_ID)
    assert b"".join(job_.output()) == b"a\xff\r\nb"
    assert stub.job.silent_polls == 2
    assert list(job_.output("stderr", follow=True)) == [b"er", b"r"]
    assert stub.job.silent_polls == 0
    with pytest.raises(errors.UnusableError, match="is not one of stdout, stderr"):
        next(job_.output("stdin"))
    both = list(job_.tail(follow=False))
    assert [b"".join(data for name, data in both if name == each) for each in ("stdout", "stderr")] == [
        b"a\xff\r\nb",
        b"err",
    ]
    assert sorted(job_.tail()) == sorted(both)


@pytest.mark.parametrize("force", [True, False])
def test_stop_does_not_wait_for_the_job(client: Client, stub: Stub, force: bool) -> None:
    stub.job = FakeJob()
    assert client.job(JOB_ID).stop(force=force).state == "running"
    assert stub.job.stop_requests == [{"force": force}]
    assert stub.requests_named("stop")[0].headers["prefer"] == "respond-async"


def test_jobs_are_listed_over_several_pages(client: Client, stub: Stub) -> None:
    stub.job = FakeJob(listed_jobs=[job(id=f"{number:x}") for number in range(15, 0, -1)])
    assert [job_.id for job_ in client.jobs(limit=8)] == list("fedcba98")
    assert [request.query["limit"] for request in stub.requests_named("jobs")] == ["8", "5", "2"]
    assert len(client.jobs()) == 15
    assert client.jobs(limit=0) == []


def test_jobs_are_filtered(client: Client, stub: Stub) -> None:
    stub.job = FakeJob()
    assert client.jobs(state=["running", "queued"], command="trigger*", limit=5) == []
    assert stub.request.query == {"state": "running,queued", "command": "trigger*", "limit": "5"}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"jobs": {}},
        {"jobs": [{"id": 1}]},
        {"jobs": [job(exit_code="0")]},
        {"id": "x"},
        None,
        envelope(),
    ],
    ids=str,
)
def test_invalid_job_document_is_rejected(client: Client, stub: Stub, body: Any) -> None:
    stub.respond(body)
    with pytest.raises(errors.NotTheApiError):
        client.jobs()
    with pytest.raises(errors.NotTheApiError):
        client.job(JOB_ID)
    with pytest.raises(errors.NotTheApiError):
        list(client.job(JOB_ID).output())


@pytest.mark.parametrize("kind", ["text/plain", "text/html", ""])
def test_text_that_is_not_job_output_is_rejected(client: Client, stub: Stub, kind: str) -> None:
    stub.respond(b"welcome", kind=kind)
    with pytest.raises(errors.NotTheApiError):
        list(client._job(job()).output())  # noqa: SLF001 - there is no public name
