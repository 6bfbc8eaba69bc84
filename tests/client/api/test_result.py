"""Results of jobs that end after the response to their request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_remote import errors
from airflow_remote.api.result import result_of_job
from airflow_remote.client import Client
from client.responses import JOB_ID, STARTED, UNFINISHED, job
from client.stub import FakeJob, Stub

NOT_FOUND = {"type": "NotFound", "message": "Dag 'x' could not be found"}
NOT_FOUND_JOB = {
    "state": "failed",
    "exit_code": 1,
    "message": NOT_FOUND["message"],
    "http_response_code": 404,
    "error": NOT_FOUND,
}


def test_failed_job_keeps_http_status_and_error() -> None:
    result = result_of_job(job(**NOT_FOUND_JOB), "out\n", "log\n")
    assert not result.ok
    assert result.http_status == 404
    assert result.envelope["http_response_code"] == 404
    assert result.envelope["status"] == "ERROR"
    assert result.envelope["error"] == NOT_FOUND
    assert (result.output, result.exit_code) == (NOT_FOUND["message"], 1)
    assert (result.stdout, result.stderr) == ("out\n", "log\n")
    assert result.warning is None


def test_successful_job_keeps_http_status_and_warning() -> None:
    document = job(state="succeeded", exit_code=0, http_response_code=202, warning="careful", error=None)
    result = result_of_job(document, "out\n", "")
    assert result.ok
    assert (result.http_status, result.envelope["http_response_code"]) == (202, 202)
    assert (result.warning, result.output) == ("careful", "out")
    assert "error" not in result.envelope


def test_failed_job_keeps_its_warning() -> None:
    assert result_of_job(job(**NOT_FOUND_JOB, warning="careful"), "", "").warning == "careful"


@pytest.mark.parametrize(
    ("state", "http_status", "error"),
    [("succeeded", 200, None), ("failed", 422, {"type": "CommandFailed", "message": "because"})],
)
@pytest.mark.parametrize("code", [None, "404", True, 0.5])
def test_job_of_older_server_gets_default_http_status(
    state: str, http_status: int, error: dict[str, str] | None, code: Any
) -> None:
    document = job(state=state, message="because", http_response_code=code, error="because", warning=1)
    result = result_of_job(document, "", "")
    assert (result.http_status, result.envelope["http_response_code"]) == (http_status, http_status)
    assert result.envelope.get("error") == error
    assert result.warning is None


@pytest.mark.parametrize(("state", "code", "http_status"), [("succeeded", 404, 200), ("failed", 200, 422)])
def test_http_status_never_contradicts_the_state(state: str, code: int, http_status: int) -> None:
    assert result_of_job(job(state=state, http_response_code=code), "", "").http_status == http_status


@pytest.mark.parametrize("exit_code", [0, -15, None])
def test_service_that_was_stopped_is_no_failure(exit_code: int | None) -> None:
    document = job(
        state="stopped",
        kind="service",
        exit_code=exit_code,
        message="",
        http_response_code=200,
        error=None,
    )
    result = result_of_job(document, "out\n", "log\n")
    assert result.ok
    assert (result.http_status, result.output, result.exit_code) == (200, "out", exit_code)


@pytest.mark.parametrize(
    "changes", [{"kind": "command"}, {"http_response_code": 422, "error": NOT_FOUND}, {"error": NOT_FOUND}]
)
def test_other_stopped_jobs_are_failures(changes: dict[str, Any]) -> None:
    document = {"state": "stopped", "kind": "service", "http_response_code": 200, "error": None, **changes}
    assert not result_of_job(job(**document), "", "").ok


def test_followed_command_raises_with_http_status_and_error_of_its_job(stub: Stub) -> None:
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(end={**NOT_FOUND_JOB, "warning": "careful"})
    with pytest.raises(errors.CommandFailedError, match="could not be found") as caught:
        Client(stub.url).run("pause", dag_id="x")
    result = caught.value.result
    assert (result.http_status, result.envelope["error"], result.warning) == (404, NOT_FOUND, "careful")
    assert result.job is not None
    assert result.job["id"] == JOB_ID


def test_json_is_found_amid_other_lines() -> None:
    document = job(state="succeeded", exit_code=0)
    rows = [{"dag_id": "a"}]
    for text in (
        f"{json.dumps(rows)}\n",
        f"['loading']\n{json.dumps(rows)}\n",
        f"x\n{json.dumps(rows)}\n[done]\n",
    ):
        assert result_of_job(document, text, "").envelope["result"] == rows
    assert "result" not in result_of_job(document, "[1\n", "").envelope


def test_failed_command_that_was_asked_for_json_has_a_result() -> None:
    command = "airflow dags list-import-errors --output=json"
    result = result_of_job(job(**NOT_FOUND_JOB, airflow_cmd=command), '[{"error": "x"}]\n', "")
    assert result.envelope["result"] == [{"error": "x"}]
