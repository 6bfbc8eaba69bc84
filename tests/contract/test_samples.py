"""Test that the samples are complete and have the documented shape."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from contract import samples, streams

PLUGIN_2016 = {"airflow_cmd", "arguments", "call_time", "output", "response_time", "status"}
ADDED = {
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
def test_sample_has_all_parts(sample: dict[str, Any]) -> None:
    assert {"about", "request", "response", "client"} == set(sample)
    assert {"name", "arguments"} <= set(sample["request"]) <= {"name", "arguments", "files"}
    assert {"status", "body"} <= set(sample["response"]) <= {"status", "headers", "body"}
    assert {"command_line", "stdout", "stderr", "exit_status"} == set(sample["client"])


@every_sample
def test_times_are_http_dates(sample: dict[str, Any]) -> None:
    body = sample["response"]["body"]
    for name in ("call_time", "response_time"):
        assert body[name].endswith(" GMT")
        assert parsedate_to_datetime(body[name]).utcoffset() is not None
    assert parsedate_to_datetime(body["call_time"]) <= parsedate_to_datetime(body["response_time"])


def test_failed_token_has_four_keys_of_2016_plugin() -> None:
    response = SAMPLES["token_failed"]["response"]
    assert response["status"] == 403
    assert set(response["body"]) == {"call_time", "output", "response_time", "status"}
    assert (response["body"]["output"], response["body"]["status"]) == (
        "Token Authentication Failed",
        "ERROR",
    )


@every_envelope
def test_other_responses_are_envelopes(sample: dict[str, Any]) -> None:
    response = sample["response"]
    body = response["body"]
    assert set(body) >= PLUGIN_2016
    assert set(body) <= PLUGIN_2016 | ADDED
    assert body["http_response_code"] == response["status"]
    assert body["status"] == ("OK" if response["status"] < 300 else "ERROR")
    assert None not in [value for name, value in body.items() if name != "result"]


@every_envelope
def test_error_has_type_and_its_message_as_output(sample: dict[str, Any]) -> None:
    status, body = sample["response"]["status"], sample["response"]["body"]
    if status < 300:
        assert "error" not in body
        return
    assert body["error"]["message"] == body["output"]
    assert "\n" not in body["output"]
    assert body["error"]["type"] == ERRORS.get(status, "Refused")


@every_envelope
def test_ended_command_has_output_and_exit_code(sample: dict[str, Any]) -> None:
    body = sample["response"]["body"]
    assert ("stdout" in body) == ("stderr" in body)
    if "exit_code" in body:
        assert "stdout" in body
        assert (body["exit_code"] == 0) == (body["status"] == "OK")
    if body["status"] == "OK" and "stdout" in body:
        assert body["output"] == body["stdout"].rstrip("\n")


def test_every_status_has_a_sample() -> None:
    statuses = {sample["response"]["status"] for sample in SAMPLES.values()}
    assert statuses == {200, 202, 400, 403, 404, 409, 413, 422, 429, 500, 501, 503}


@pytest.mark.parametrize("stream", streams().values(), ids=streams())
def test_stream_starts_with_job_and_ends_with_envelope(stream: dict[str, Any]) -> None:
    first, *between, last = stream["events"]
    assert (first["event"], last["event"]) == ("started", "finished")
    assert {event["event"] for event in between} <= {"output", "alive"}
    envelope, job = last["envelope"], first["job"]
    assert PLUGIN_2016 <= set(envelope) <= PLUGIN_2016 | ADDED
    for name in ("stdout", "stderr"):
        printed = [event["data"] for event in between if event.get("stream") == name]
        assert "".join(printed) == envelope[name]
    assert {name: job[name] for name in ("id", "kind", "url")} == {
        name: envelope["job"][name] for name in ("id", "kind", "url")
    }
