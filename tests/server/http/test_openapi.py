"""Test that the OpenAPI document is valid, complete and true."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from remote import TOKEN
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from airflow_remote_server.http.routes import PUBLIC, ROUTES

if TYPE_CHECKING:
    from remote import Remote

API = "/api/v1.0"
ROOT = "/admin/rest_api"
CONTRACT = Path(__file__).parents[2] / "contract"
SAMPLES = [path for path in sorted(CONTRACT.glob("*.json")) if "response" in json.loads(path.read_text())]
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "1"))
"""Number of valid and of invalid requests to each read-only route."""


@pytest.fixture
def document(remote: Remote) -> Any:
    """Return the document for the installed Airflow."""
    response = remote("openapi.json")
    assert response.status_code == 200, response.text
    return response.json


def validator(document: Any, name: str) -> Draft202012Validator:
    """Return a validator for one of the document's schemas."""
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


def test_document_is_valid_openapi(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_operation_ids_are_unique(document: Any) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert {"trigger_dag", "airflow_dags_trigger", "get_airflow_dags_list", "jobs", "stop"} <= set(names)
    assert all(name.isidentifier() for name in names)


def test_every_route_and_method_is_described(document: Any) -> None:
    paths = document["paths"]
    expected: dict[str, set[str]] = {}
    for rule in ROUTES:
        if rule.endpoint in PUBLIC - {"health"}:
            continue  # not part of the API
        path = rule.rule.replace("<path:name>", "{name}").replace("<job_id>", "{job_id}")
        path = path.replace("<path:words>", "dags/trigger").replace("<name>", "trigger_dag")
        methods = {method.lower() for method in rule.methods or ()} - {"head"}
        if path == f"{API}/commands/dags/trigger":
            methods.remove("get")  # it modifies data
        expected.setdefault(path, set()).update(methods)
    for path, methods in expected.items():
        assert set(paths[path]) == methods, path


def test_every_runnable_command_is_described(document: Any, remote: Remote) -> None:
    paths = document["paths"]
    for command in remote("commands").json["commands"]:
        path = f"{API}/commands/{command['name'].replace(' ', '/')}"
        if command["refused"]:
            assert path not in paths
            continue
        assert set(paths[path]) == ({"get", "post"} if command["read_only"] else {"post"}), path
        operation = paths[path]["post"]
        [content, *_] = operation["requestBody"]["content"].values()
        usable = {
            argument["name"]
            for argument in command["arguments"]
            if not argument["refused"] and not argument["ignored"]
        }
        assert set(content["schema"]["properties"]) == usable, path


def test_absent_endpoints_are_left_out(document: Any, major: int) -> None:
    assert (f"{API}/run" in document["paths"]) == (major == 2)
    assert (f"{API}/commands/tasks/run" in document["paths"]) == (major == 2)


def test_refused_commands_are_left_out(make_remote: Any, shared_state: Path) -> None:
    paths = make_remote(state_dir=shared_state, deny_commands=("pools *",))("openapi.json").json["paths"]
    assert f"{API}/commands/pools/list" not in paths
    assert f"{API}/commands/variables/list" in paths


def test_uploads_are_described_as_multipart_form(document: Any) -> None:
    for path, name in ((f"{API}/deploy_dag", "dag_file"), (f"{API}/commands/variables/import", "file")):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert list(content) == ["multipart/form-data"]
        schema = content["multipart/form-data"]["schema"]
        assert schema["properties"][name]["contentMediaType"] == "application/octet-stream"
        assert name in schema["required"]


def body_of(document: Any, path: str) -> Draft202012Validator:
    """Return a validator for the JSON body of a path."""
    content = document["paths"][API + path]["post"]["requestBody"]["content"]
    return Draft202012Validator(
        {**content["application/json"]["schema"], "components": document["components"]}
    )


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ("/trigger_dag", {"dag_id": "a", "conf": {"b": 1}}, {"conf": {}}),
        ("/trigger_dag", {"dag_id": "a", "conf": "{}"}, {"dag_id": "a", "config": "{}"}),
        ("/trigger_dag", {"dag_id": "-a"}, {"dag_id": "a\0b"}),
        ("/pool", {"cmd": "set", "pool_name": "p", "slot_count": 3}, {"cmd": "set", "pool_name": "p"}),
        ("/pool", {}, {"pool_name": "p"}),
        ("/variables", {"cmd": "export", "file": "-"}, {"cmd": "export", "file": "/tmp/x"}),
        ("/backfill", {"dag_id": "a", "start_date": "2026-01-01"}, {"dag_id": "a"}),
        (
            "/commands/connections/add",
            {"conn_id": "c", "conn_uri": "a://b"},
            {"conn_id": "c", "conn_uri": "-"},
        ),
        (
            "/commands/connections/add",
            {"conn_id": "c", "conn_type": "d"},
            {"conn_id": "c", "conn_uri": "a://b", "conn_type": "d"},
        ),
        ("/commands/dags/delete", {"dag_id": "a", "yes": True}, {"dag_id": "a"}),
        ("/commands/dags/list", {"output": "json"}, {"output": "jso"}),
    ],
)
def test_body_schema_agrees_with_validation(
    document: Any, remote: Remote, path: str, right: Any, wrong: Any
) -> None:
    schema = body_of(document, path)
    assert list(schema.iter_errors(right)) == []
    assert list(schema.iter_errors(wrong)) != []
    response = remote(path[1:], "POST", json=wrong)
    assert (response.status_code, "job" in response.json) == (400, False), response.text


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_contract_samples_match_response_schemas(document: Any, path: Path) -> None:
    answered = json.loads(path.read_text())["response"]
    responses = document["paths"][f"{API}/trigger_dag"]["post"]["responses"]
    [name] = [responses[str(answered["status"])]["$ref"].rpartition("/")[2]]
    content = document["components"]["responses"][name]["content"]["application/json"]
    schema = Draft202012Validator({**content["schema"], "components": document["components"]})
    assert list(schema.iter_errors(answered["body"])) == []


def test_jobs_and_events_match_their_schemas(document: Any, remote: Remote) -> None:
    stream = remote("list_dags", "POST", ACCEPT="application/x-ndjson")
    events = [json.loads(line) for line in stream.data.splitlines()]
    assert events[-1]["event"] == "finished"
    job_id = events[0]["job"]["id"]
    for name, values in {
        "Event": events,
        "Envelope": [events[-1]["envelope"]],
        "Job": [remote.job(job_id)],
        "Jobs": [remote("jobs").json],
        "Output": [remote.output(job_id)],
    }.items():
        check = validator(document, name)
        for value in values:
            assert list(check.iter_errors(value)) == [], name


def test_document_is_revalidated_by_etag(remote: Remote) -> None:
    response = remote("openapi.json")
    again = remote("openapi.json", IF_NONE_MATCH=response.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")


def test_document_needs_token(remote: Remote) -> None:
    response = remote.client.get(f"{ROOT}{API}/openapi.json")
    assert response.json is not None
    assert (response.status_code, response.json["output"]) == (403, "Token Authentication Failed")


def test_security_reflects_whether_token_is_needed(
    make_remote: Any, shared_state: Path, document: Any
) -> None:
    assert {} not in document["security"]
    assert document["paths"][f"{API}/health"]["get"]["security"] == []
    local = {"REMOTE_ADDR": "127.0.0.1"}
    response = make_remote(state_dir=shared_state, token=None)("openapi.json", environ_overrides=local)
    assert {} in response.json["security"]


def test_server_url_includes_base_path(make_client: Any, shared_state: Path) -> None:
    client = make_client(base_path="/pre", state_dir=shared_state)
    response = client.get(f"/pre{ROOT}{API}/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.json["servers"] == [{"url": f"/pre{ROOT}"}]


HEADERS = {"rest-api-plugin-http-token": TOKEN}
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(timezone.utc))
"""Airflow rejects extreme dates, such as year 1 in the time zone +23:59."""


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_read_only_routes_behave_as_described(remote: Remote, mode: GenerationMode) -> None:
    schemathesis.openapi.format("date-time", TIMES.map(datetime.isoformat))
    schema = schemathesis.openapi.from_wsgi(
        f"{ROOT}{API}/openapi.json", remote.client.application, headers=HEADERS
    )
    schema.config.generation.update(with_security_parameters=False)
    # A command may fail on valid arguments; the check below is that none is rejected before it runs.
    excluded = CHECKS.get_by_names(["positive_data_acceptance"])
    asked: set[str] = set()
    nothing_wrong: set[str] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.method != "get" or not operation.definition.raw["x-read-only"]:
            continue

        @given(operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            response = case.call(headers=HEADERS)
            case.validate_response(response, headers=HEADERS, excluded_checks=excluded)
            if mode is GenerationMode.POSITIVE and response.status_code == 400:
                assert response.json()["job"]["state"] == "failed", response.text

        try:
            ask()
            asked.add(operation.path)
        except Unsatisfiable:
            nothing_wrong.add(operation.path)
    assert len(asked) > 50
    # Routes without arguments, or with any text as argument, have no invalid requests.
    simple = ("/api/v1.0", "/commands", "/health", "/import_errors", "/openapi.json", "version")
    assert all(path.endswith(simple) for path in nothing_wrong), nothing_wrong
