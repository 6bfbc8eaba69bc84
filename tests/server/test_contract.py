"""The server's side of the samples in tests/contract: those that it can answer are answered as they say."""

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
    "not_in_this_airflow": {"airflow_major": 3},
    "refused": {"token": None},
    "rest_api_plugin_version": {},
    "token_failed": {"token": "another"},
    "too_large": {"max_body_bytes": 16},
}
"""Sample to the settings that it is about."""


def answer(remote: Remote, name: str) -> tuple[int, dict[str, Any]]:
    """The answer to a sample's request, without what is another one each time."""
    request = SAMPLES[name]["request"]
    files = {
        field: (io.BytesIO(file["content"].encode()), file["filename"])
        for field, file in request.get("files", {}).items()
    }
    body = {"data": {**request["arguments"], **files}} if files else {"json": request["arguments"]}
    environ = {"REMOTE_ADDR": "192.0.2.1"}
    said = remote(request["name"], "POST", environ_overrides=environ, **body)
    return said.status_code, comparable(said.json)


def comparable(envelope: dict[str, Any]) -> dict[str, Any]:
    """An envelope without times, ids and process ids."""
    said = {**envelope, "call_time": None, "response_time": None}
    if "job" in said:
        job_id = said["job"]["id"]
        said = json.loads(json.dumps(said).replace(job_id, "ID"))
        said["job"]["pid"] = bool(said["job"].get("pid"))
    return said


def agreed(name: str) -> tuple[int, dict[str, Any]]:
    """What a sample says."""
    response = SAMPLES[name]["response"]
    return response["status"], comparable(response["body"])


@pytest.mark.parametrize("name", ANSWERED)
def test_a_sample_is_answered_as_agreed(make_remote: Any, name: str) -> None:
    status, said = answer(make_remote(**ANSWERED[name]), name)
    wanted = agreed(name)
    if name == "too_large":  # the limit of the sample is the usual one
        said, wanted = {**said, "output": None, "error": None}, (wanted[0], {**wanted[1], "output": None})
        wanted[1]["error"] = None
    assert (status, said) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deploy_dag", "deploy_dag_conflict", "rollback_dag_nothing", "version"])
def test_a_sample_that_needs_a_command_is_answered_as_agreed(
    remote: Remote, tmp_path: Path, name: str
) -> None:
    from airflow import __version__

    if name == "deploy_dag_conflict":
        (tmp_path / "dags" / "hello_remote.py").write_text("")
    status, said = answer(remote, name)
    said = json.loads(json.dumps(said).replace(__version__, "3.3.2"))
    assert (status, said) == agreed(name)


@pytest.mark.slow
def test_a_service_is_answered_as_agreed(make_remote: Any, cold_state: Path, loiter: None) -> None:
    remote = make_remote()
    status, said = answer(remote, "service_started")
    for job in remote.jobs():
        assert remote.stop(job["id"]).json["state"] == "stopped"
    assert (status, said) == agreed("service_started")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "query"), [("version", {}), ("list_tasks", {"dag_id": "no_such_dag"})])
def test_a_stream_has_what_is_agreed(remote: Remote, name: str, query: dict[str, str]) -> None:
    wanted = streams()["succeeded" if name == "version" else "failed"]["events"]
    fields = {event["event"]: set(event) for each in streams().values() for event in each["events"]}
    response = remote(name, query_string=query, ACCEPT="application/x-ndjson")
    events = [json.loads(line) for line in response.data.splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("started", "finished")
    for event in events:
        assert set(event) == fields[event["event"]]
    optional = {"pid"}
    assert set(events[0]["job"]) | optional == set(wanted[0]["job"]) | optional
    assert set(events[-1]["envelope"]) == set(wanted[-1]["envelope"])
    assert set(events[-1]["envelope"]["job"]) == set(wanted[-1]["envelope"]["job"])
