"""Jobs in the Python API."""

from __future__ import annotations

import pytest
from stub import JOB_ID, FakeJob, answered, envelope, job

from airflow_remote import errors
from airflow_remote.client import Client

FAILED = {"state": "failed", "exit_code": 3, "message": "because"}
RUNS = answered(envelope(output="version runs", stdout=None, exit_code=None, job=job()), 202)


@pytest.fixture
def client(stub):
    return Client(stub.url, "s3cret-token")


def test_a_command_is_submitted_and_waited_for_later(client, stub):
    stub.at_first(RUNS)
    stub.job = FakeJob(b"3.3.2\n", b"log")
    submitted = client.submit("version")
    assert stub.request.headers["prefer"] == "respond-async"
    assert (submitted.id, submitted.state, submitted.kind) == (JOB_ID, "running", "command")
    assert (submitted.ended, submitted.exit_code, submitted.message) == (False, None, "")
    assert repr(submitted) == f"Job('{JOB_ID}', 'running')"
    heard = []
    result = submitted.wait(lambda *text: heard.append(text))
    assert (result.stdout, result.stderr, result.output) == ("3.3.2\n", "log", "3.3.2")
    assert heard == [("stdout", "3.3.2\n"), ("stderr", "log")]
    assert (submitted.state, submitted.ended, submitted.exit_code) == ("succeeded", True, 0)
    assert all("rest-api-plugin-http-token" in request.headers for request in stub.requests)


def test_waiting_for_a_job_that_fails_raises_as_running_it_does(client, stub):
    stub.job = FakeJob(b"out", end=FAILED)
    found = client.job(JOB_ID)
    with pytest.raises(errors.CommandFailedError, match="because") as caught:
        found.wait()
    assert (caught.value.result.exit_code, caught.value.result.stdout) == (3, "out")
    assert (found.state, found.exit_code, found.message) == ("failed", 3, "because")


def test_a_command_that_ended_at_once_is_a_job_all_the_same(client, stub):
    ended = envelope(status="ERROR", output="no DAG", exit_code=1, job=job(state="failed"))
    stub.at_first(answered(ended, 404))
    assert client.submit("pause", dag_id="x").state == "failed"


def test_what_is_refused_is_no_job(client, stub):
    refused = envelope(status="ERROR", output="no", stdout=None, stderr=None, exit_code=None)
    stub.at_first(answered(refused, 400))
    with pytest.raises(errors.ArgumentsError):
        client.submit("version")


def test_what_the_server_makes_no_job_of_says_so(client, stub):
    stub.answer(envelope())
    with pytest.raises(errors.UnsupportedError, match="makes no job of version") as caught:
        client.submit("version")
    assert caught.value.result.stdout == "1.7.0\n"


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a b", "é", "a" * 101, "a?b", "a\n"])
def test_an_id_that_would_lead_elsewhere_is_refused(client, stub, job_id):
    with pytest.raises(errors.UnusableError, match="is not a job's id"):
        client.job(job_id)
    assert stub.requests == []


def test_a_job_that_the_server_does_not_have(client, stub):
    stub.job = FakeJob()
    with pytest.raises(errors.ArgumentsError, match="no such job"):
        client.job("another")


def test_output_is_what_was_printed_byte_for_byte(client, stub):
    stub.job = FakeJob(b"a\xff\r\nb", b"err", step=2, silent=3)
    found = client.job(JOB_ID)
    assert b"".join(found.output()) == b"a\xff\r\nb"
    assert stub.job.silent == 2
    assert list(found.output("stderr", follow=True)) == [b"er", b"r"]
    assert stub.job.silent == 0
    with pytest.raises(errors.UnusableError, match="is not one of stdout, stderr"):
        next(found.output("stdin"))


@pytest.mark.parametrize("force", [True, False])
def test_a_job_is_asked_to_stop_and_not_waited_for(client, stub, force):
    stub.job = FakeJob()
    assert client.job(JOB_ID).stop(force=force).state == "running"
    assert stub.job.stops == [{"force": force}]
    assert stub.named("stop")[0].headers["prefer"] == "respond-async"


def test_jobs_are_listed_over_several_pages(client, stub):
    stub.job = FakeJob(listed=[job(id=f"{number:x}") for number in range(15, 0, -1)])
    assert [found.id for found in client.jobs(limit=8)] == list("fedcba98")
    assert [request.query["limit"] for request in stub.named("jobs")] == ["8", "5", "2"]
    assert len(client.jobs()) == 15
    assert client.jobs(limit=0) == []


def test_jobs_are_listed_by_what_is_asked_for(client, stub):
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
def test_what_is_no_job_is_not_the_api_s(client, stub, body):
    stub.answer(body)
    found = [lambda: client.jobs(), lambda: client.job(JOB_ID), lambda: list(client.job(JOB_ID).output())]
    for ask in found:
        with pytest.raises(errors.NotTheApiError):
            ask()


@pytest.mark.parametrize("kind", ["text/plain", "text/html", ""])
def test_text_that_is_no_job_s_output_is_not_the_api_s(client, stub, kind):
    stub.answer(b"welcome", kind=kind)
    with pytest.raises(errors.NotTheApiError):
        list(client._job(job()).output())
