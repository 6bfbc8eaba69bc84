"""The samples themselves: whole, and of the shape that the envelope's documentation promises."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from contract import samples, streams

SEED = {"airflow_cmd", "arguments", "call_time", "output", "response_time", "status"}
SINCE = {
    "dag_ids",
    "dag_run_id",
    "error",
    "exit_code",
    "http_response_code",
    "import_errors",
    "job",
    "result",
    "stderr",
    "stdout",
    "warning",
}
ERRORS = {
    400: "BadArguments",
    404: "NotFound",
    409: "Conflict",
    413: "TooLarge",
    422: "CommandFailed",
    429: "Busy",
    500: "InternalError",
    501: "NotInThisAirflow",
    503: "Unavailable",
}

SAMPLES = samples()
ENVELOPES = {name: sample for name, sample in SAMPLES.items() if name != "token_failed"}

every_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
every_envelope = pytest.mark.parametrize("sample", ENVELOPES.values(), ids=ENVELOPES)


@every_sample
def test_a_sample_has_all_its_parts(sample):
    assert {"about", "request", "response", "client"} == set(sample)
    assert {"name", "arguments"} <= set(sample["request"]) <= {"name", "arguments", "files"}
    assert {"status", "body"} <= set(sample["response"]) <= {"status", "headers", "body"}
    assert {"command_line", "stdout", "stderr", "exit_status"} == set(sample["client"])


@every_sample
def test_times_are_http_dates(sample):
    body = sample["response"]["body"]
    for name in ("call_time", "response_time"):
        assert body[name].endswith(" GMT")
        assert parsedate_to_datetime(body[name]).utcoffset() is not None
    assert parsedate_to_datetime(body["call_time"]) <= parsedate_to_datetime(body["response_time"])


def test_a_failed_token_is_answered_with_the_four_keys_of_the_seed():
    response = SAMPLES["token_failed"]["response"]
    assert response["status"] == 403
    assert set(response["body"]) == {"call_time", "output", "response_time", "status"}
    assert (response["body"]["output"], response["body"]["status"]) == (
        "Token Authentication Failed",
        "ERROR",
    )


@every_envelope
def test_every_other_answer_is_an_envelope(sample):
    response = sample["response"]
    body = response["body"]
    assert set(body) >= SEED
    assert set(body) <= SEED | SINCE
    assert body["http_response_code"] == response["status"]
    assert body["status"] == ("OK" if response["status"] < 300 else "ERROR")
    assert None not in [value for name, value in body.items() if name != "result"]


@every_envelope
def test_an_error_says_its_type_and_its_message_is_the_output(sample):
    status, body = sample["response"]["status"], sample["response"]["body"]
    if status < 300:
        assert "error" not in body
        return
    assert body["error"]["message"] == body["output"]
    assert "\n" not in body["output"]
    assert body["error"]["type"] == ERRORS.get(status, "Refused")


@every_envelope
def test_what_has_run_to_its_end_has_output_and_an_exit_code(sample):
    body = sample["response"]["body"]
    assert ("stdout" in body) == ("stderr" in body)
    if "exit_code" in body:
        assert "stdout" in body
        assert (body["exit_code"] == 0) == (body["status"] == "OK")
    if body["status"] == "OK" and "stdout" in body:
        assert body["output"] == body["stdout"].rstrip("\n")


def test_every_status_of_the_contract_has_a_sample():
    statuses = {sample["response"]["status"] for sample in SAMPLES.values()}
    assert statuses == {200, 202, 400, 403, 404, 409, 413, 422, 429, 500, 501, 503}


@pytest.mark.parametrize("stream", streams().values(), ids=streams())
def test_a_stream_begins_with_its_job_and_ends_with_the_envelope(stream):
    first, *between, last = stream["events"]
    assert (first["event"], last["event"]) == ("started", "finished")
    assert {event["event"] for event in between} <= {"output", "alive"}
    envelope, job = last["envelope"], first["job"]
    assert SEED <= set(envelope) <= SEED | SINCE
    for name in ("stdout", "stderr"):
        printed = [event["data"] for event in between if event.get("stream") == name]
        assert "".join(printed) == envelope[name]
    assert {name: job[name] for name in ("id", "kind", "url")} == {
        name: envelope["job"][name] for name in ("id", "kind", "url")
    }
