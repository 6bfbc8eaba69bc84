from __future__ import annotations

import pytest
from stub import envelope

from airflow_remote import errors
from airflow_remote.client import Client, Result
from airflow_remote.exit_status import ExitStatus

TOKEN = "s3cret-token"


def failed(**fields):
    return envelope(**{"status": "ERROR", "stdout": None, "stderr": None, "exit_code": None, **fields})


def test_run_gives_what_the_command_printed_and_its_result(stub):
    stub.answer(
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


def test_what_the_server_answers_without_a_command_has_no_stdout(stub):
    stub.answer(envelope(stdout=None, stderr=None, exit_code=None, http_response_code=202), 202)
    result = Client(stub.url).run("scheduler")
    assert result.ok
    assert (result.output, result.stdout, result.stderr, result.exit_code) == ("1.7.0", None, None, None)


def test_arguments_may_have_names_that_python_keeps_for_itself(stub):
    Client(stub.url).run("variables", {"import": "x", "json": True}, name="n")
    assert stub.request.arguments == {"import": "x", "json": True, "name": "n"}


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "a  b", " a", "a ", "a b/c", "a ..", "a\n", "x?y", "é", "a" * 101]
)
def test_a_name_that_would_lead_elsewhere_is_refused(stub, name):
    with pytest.raises(errors.UnusableError, match="is not a command's name"):
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
def test_an_answer_that_says_error_is_raised_by_its_status(stub, status, error, exit_status):
    stub.answer(failed(output="because"), status)
    with pytest.raises(errors.AnsweredError) as caught:
        Client(stub.url).run("version")
    assert type(caught.value) is error
    assert caught.value.exit_status == exit_status
    assert str(caught.value) == caught.value.message == "because"
    assert caught.value.result.http_status == status


@pytest.mark.parametrize("status", [200, 400, 404, 409, 422])
def test_a_command_that_ran_and_failed_is_raised_as_that_whatever_the_status(stub, status):
    stub.answer(failed(exit_code=3, stdout="", stderr="no"), status)
    with pytest.raises(errors.CommandFailedError) as caught:
        Client(stub.url).run("version")
    assert caught.value.result.exit_code == 3


def test_error_outweighs_a_status_that_claims_success(stub):
    stub.answer(failed(), 200)
    with pytest.raises(errors.CommandFailedError):
        Client(stub.url).run("version")


def test_a_failure_without_a_word_still_says_something(stub):
    stub.answer(failed(output=""), 500)
    with pytest.raises(errors.ServerError, match="the server answered 500 without a word"):
        Client(stub.url).run("version")


@pytest.mark.parametrize(
    ("after", "hint"),
    [
        ("5", "busy (try again in 5 s)"),
        ("Tue, 29 Nov 2016 14:22:26 GMT", "busy (try again after Tue, 29 Nov 2016 14:22:26 GMT)"),
        ("", "busy"),
    ],
)
def test_a_busy_server_says_when_to_come_again(stub, after, hint):
    stub.answer(failed(output="busy"), 429, {"Retry-After": after} if after else {})
    with pytest.raises(errors.BusyError) as caught:
        Client(stub.url).run("version")
    assert caught.value.message == hint


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        (None, "give the token by --token"),
        (TOKEN, "--token or AIRFLOW_REMOTE_TOKEN is not the server's token"),
    ],
)
def test_a_failed_token_is_followed_by_what_to_do(stub, token, hint):
    stub.answer(
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
def test_an_envelope_with_a_field_of_a_wrong_type_is_not_the_api_s(stub, field):
    stub.answer(envelope(**field))
    with pytest.raises(errors.NotTheApiError):
        Client(stub.url).run("version")


def test_the_token_is_not_in_any_repr(stub):
    client = Client(stub.url, TOKEN)
    assert repr(client) == f"Client('{stub.url}/admin/rest_api')"
    assert TOKEN not in repr(client._transport)


def test_a_result_is_ok_only_when_everything_says_so():
    assert Result(envelope(), 200).ok
    assert not Result(envelope(status="ERROR"), 200).ok
    assert not Result(envelope(exit_code=1), 200).ok
    assert not Result(envelope(), 404).ok
