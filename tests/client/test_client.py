"""The Python API: results and exceptions."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_remote import errors
from airflow_remote.client import Client, Result
from airflow_remote.exit_status import ExitStatus
from client.responses import envelope
from client.stub import Stub

TOKEN = "s3cret-token"


def failure(**fields: Any) -> dict[str, Any]:
    return envelope(**{"status": "ERROR", "stdout": None, "stderr": None, "exit_code": None, **fields})


def test_run_returns_output_and_result(stub: Stub) -> None:
    stub.respond(
        envelope(
            output="[]",
            stdout="[]\n",
            stderr="log\n",
            result=[{"a": 1}],
            dag_run_id="run-1",
            warning="careful",
        )
    )
    result = Client(stub.url).run("trigger_dag", dag_id="x", conf={"name": "you"}, run_id=None)
    assert stub.request.name == "trigger_dag"
    assert stub.request.arguments == {"dag_id": "x", "conf": {"name": "you"}}
    assert result.ok
    assert (result.output, result.stdout, result.stderr, result.exit_code) == ("[]", "[]\n", "log\n", 0)
    assert (result.result, result.dag_run_id, result.warning) == ([{"a": 1}], "run-1", "careful")
    assert (result.http_status, result.envelope["airflow_cmd"]) == (200, "airflow version")


def test_response_without_a_command_has_no_stdout(stub: Stub) -> None:
    stub.respond(envelope(stdout=None, stderr=None, exit_code=None, http_response_code=202), 202)
    result = Client(stub.url).run("scheduler")
    assert result.ok
    assert (result.output, result.stdout, result.stderr, result.exit_code) == ("1.7.0", None, None, None)


def test_arguments_may_be_named_like_python_keywords(stub: Stub) -> None:
    Client(stub.url).run("variables", {"import": "x", "json": True}, name="n")
    assert stub.request.arguments == {"import": "x", "json": True, "name": "n"}


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "a  b", " a", "a ", "a b/c", "a ..", "a\n", "x?y", "é", "a" * 101]
)
def test_unsafe_command_name_is_rejected(stub: Stub, name: str) -> None:
    with pytest.raises(errors.UnusableError, match="is not a valid command name"):
        Client(stub.url).run(name)
    assert stub.requests == []


@pytest.mark.parametrize(
    ("status", "error", "exit_status"),
    [
        (400, errors.ArgumentsError, ExitStatus.USAGE),
        (401, errors.RefusedError, ExitStatus.REFUSED),
        (403, errors.RefusedError, ExitStatus.REFUSED),
        (404, errors.ArgumentsError, ExitStatus.USAGE),
        (405, errors.ArgumentsError, ExitStatus.USAGE),
        (409, errors.CommandFailedError, ExitStatus.FAILED),
        (413, errors.ArgumentsError, ExitStatus.USAGE),
        (418, errors.ArgumentsError, ExitStatus.USAGE),
        (422, errors.CommandFailedError, ExitStatus.FAILED),
        (429, errors.BusyError, ExitStatus.BUSY),
        (500, errors.ServerError, ExitStatus.SERVER_ERROR),
        (501, errors.UnsupportedError, ExitStatus.UNSUPPORTED),
        (503, errors.BusyError, ExitStatus.BUSY),
        (599, errors.ServerError, ExitStatus.SERVER_ERROR),
    ],
)
def test_http_status_decides_the_exception(
    stub: Stub, status: int, error: type[errors.AnsweredError], exit_status: ExitStatus
) -> None:
    stub.respond(failure(output="because"), status)
    with pytest.raises(errors.AnsweredError) as caught:
        Client(stub.url).run("version")
    assert type(caught.value) is error
    assert caught.value.exit_status == exit_status
    assert str(caught.value) == caught.value.message == "because"
    assert caught.value.result.http_status == status


@pytest.mark.parametrize("status", [200, 400, 404, 409, 422])
def test_exit_code_outweighs_http_status(stub: Stub, status: int) -> None:
    stub.respond(failure(exit_code=3, stdout="", stderr="no"), status)
    with pytest.raises(errors.CommandFailedError) as caught:
        Client(stub.url).run("version")
    assert caught.value.result.exit_code == 3


def test_error_outweighs_a_status_that_claims_success(stub: Stub) -> None:
    stub.respond(failure(), 200)
    with pytest.raises(errors.CommandFailedError):
        Client(stub.url).run("version")


def test_failure_without_message_gets_one(stub: Stub) -> None:
    stub.respond(failure(output=""), 500)
    with pytest.raises(errors.ServerError, match="the server answered 500 without a message"):
        Client(stub.url).run("version")


@pytest.mark.parametrize(
    ("after", "hint"),
    [
        ("5", "busy (try again in 5 s)"),
        ("Tue, 29 Nov 2016 14:22:26 GMT", "busy (try again after Tue, 29 Nov 2016 14:22:26 GMT)"),
        ("", "busy"),
    ],
)
def test_busy_error_says_when_to_retry(stub: Stub, after: str, hint: str) -> None:
    stub.respond(failure(output="busy"), 429, {"Retry-After": after} if after else {})
    with pytest.raises(errors.BusyError) as caught:
        Client(stub.url).run("version")
    assert caught.value.message == hint


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        (None, "set --token"),
        (TOKEN, "the server does not accept the token of --token or AIRFLOW_REMOTE_TOKEN"),
    ],
)
def test_token_failure_has_a_hint(stub: Stub, token: str | None, hint: str) -> None:
    stub.respond(
        {"call_time": "", "output": "Token Authentication Failed", "response_time": "", "status": "ERROR"},
        403,
    )
    with pytest.raises(errors.RefusedError) as caught:
        Client(stub.url, token).run("version")
    assert str(caught.value).startswith("Token Authentication Failed: ")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "field",
    [
        {"status": "FINE"},
        {"output": {"stdout": "the ancestor's shape"}},
        {"stdout": 1},
        {"stderr": []},
        {"exit_code": "0"},
        {"exit_code": True},
        {"exit_code": 1.0},
        {"warning": {}},
        {"dag_run_id": 1},
    ],
    ids=str,
)
def test_envelope_with_wrong_field_type_is_rejected(stub: Stub, field: dict[str, Any]) -> None:
    stub.respond(envelope(**field))
    with pytest.raises(errors.NotTheApiError):
        Client(stub.url).run("version")


def test_token_is_in_no_repr(stub: Stub) -> None:
    client = Client(stub.url, TOKEN)
    assert repr(client) == f"Client('{stub.url}/admin/rest_api')"
    assert TOKEN not in repr(client._session)  # noqa: SLF001 - there is no public name


def test_result_is_ok_only_without_any_failure() -> None:
    assert Result(envelope(), 200).ok
    assert not Result(envelope(status="ERROR"), 200).ok
    assert not Result(envelope(exit_code=1), 200).ok
    assert not Result(envelope(), 404).ok
