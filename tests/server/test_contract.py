"""Test that the server's responses match the samples in tests/contract."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from contract import samples, streams

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote

SAMPLES = samples()
ANSWERED: dict[str, dict[str, Any]] = {
    "bad_arguments": {},
    "not_in_this_airflow": {"airflow_release": (3, 3)},
    "refused": {"token": None},
    "rest_api_plugin_version": {},
    "token_failed": {"token": "another"},
    "too_large": {"max_body_bytes": 16},
}
"""Samples and the settings that they need."""


def ask(remote: Remote, name: str) -> tuple[int, dict[str, Any]]:
    """Send a sample's request; return the status and the comparable envelope."""
    request = SAMPLES[name]["request"]
    files = {
        field: (io.BytesIO(file["content"].encode()), file["filename"])
        for field, file in request.get("files", {}).items()
    }
    body = {"data": {**request["arguments"], **files}} if files else {"json": request["arguments"]}
    environ = {"REMOTE_ADDR": "192.0.2.1"}
    response = remote(request["name"], "POST", environ_overrides=environ, **body)
    return response.status_code, comparable(response.json)


def comparable(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope without times, job ids and process ids."""
    result = {**envelope, "call_time": None, "response_time": None}
    if "job" in result:
        job_id = result["job"]["id"]
        result = json.loads(json.dumps(result).replace(job_id, "ID"))
        result["job"]["pid"] = bool(result["job"].get("pid"))
    return result


def expected(name: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the comparable envelope of a sample."""
    response = SAMPLES[name]["response"]
    return response["status"], comparable(response["body"])


@pytest.mark.parametrize("name", ANSWERED)
def test_response_matches_sample(make_remote: Any, name: str) -> None:
    status, envelope = ask(make_remote(**ANSWERED[name]), name)
    sample = expected(name)
    if name == "too_large":  # the sample has the default limit
        envelope, sample = (
            {**envelope, "output": None, "error": None},
            (sample[0], {**sample[1], "output": None}),
        )
        sample[1]["error"] = None
    assert (status, envelope) == sample


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deploy_dag", "deploy_dag_conflict", "rollback_dag_nothing", "version"])
def test_response_of_command_matches_sample(remote: Remote, tmp_path: Path, name: str) -> None:
    from airflow import __version__

    if name == "deploy_dag_conflict":
        (tmp_path / "dags" / "hello_remote.py").write_text("")
    status, envelope = ask(remote, name)
    envelope = json.loads(json.dumps(envelope).replace(__version__, "3.3.2"))
    assert (status, envelope) == expected(name)


@pytest.mark.slow
def test_response_of_service_matches_sample(make_remote: Any, cold_state: Path, loiter: None) -> None:
    remote = make_remote()
    status, envelope = ask(remote, "service_started")
    for job in remote.jobs():
        assert remote.stop(job["id"]).json["state"] == "stopped"
    assert (status, envelope) == expected("service_started")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "query"), [("version", {}), ("list_tasks", {"dag_id": "no_such_dag"})])
def test_events_have_fields_of_sample(remote: Remote, name: str, query: dict[str, str]) -> None:
    sample_events = streams()["succeeded" if name == "version" else "failed"]["events"]
    fields = {event["event"]: set(event) for each in streams().values() for event in each["events"]}
    response = remote(name, query_string=query, ACCEPT="application/x-ndjson")
    events = [json.loads(line) for line in response.data.splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("started", "finished")
    for event in events:
        assert set(event) == fields[event["event"]]
    optional = {"pid"}
    assert set(events[0]["job"]) | optional == set(sample_events[0]["job"]) | optional
    assert set(events[-1]["envelope"]) == set(sample_events[-1]["envelope"])
    assert set(events[-1]["envelope"]["job"]) == set(sample_events[-1]["envelope"]["job"])
