"""The server's side of the samples in tests/contract: those that need no command are answered as they say."""

from __future__ import annotations

import io
from typing import Any

import pytest
from conftest import TOKEN
from contract import samples

SAMPLES = samples()
ANSWERED: dict[str, dict[str, Any]] = {
    "bad_arguments": {},
    "deploy_dag": {},
    "deploy_dag_conflict": {},
    "not_in_this_airflow": {"airflow_major": 3},
    "refused": {"token": None},
    "rest_api_plugin_version": {},
    "token_failed": {"token": "another"},
    "too_large": {"max_body_bytes": 16},
}
"""Sample to the settings that it is about."""


@pytest.mark.parametrize("name", ANSWERED)
def test_a_sample_is_answered_as_agreed(make_client: Any, tmp_path: Any, name: str) -> None:
    sample = SAMPLES[name]
    request, response = sample["request"], sample["response"]
    if name == "deploy_dag_conflict":
        (tmp_path / "dags" / "hello_remote.py").write_text("")
    files = {
        field: (io.BytesIO(file["content"].encode()), file["filename"])
        for field, file in request.get("files", {}).items()
    }
    body = {"data": {**request["arguments"], **files}} if files else {"json": request["arguments"]}
    answer = make_client(**ANSWERED[name]).post(
        f"/admin/rest_api/api/v1.0/{request['name']}",
        headers={"rest-api-plugin-http-token": TOKEN},
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
        **body,
    )
    said = {**answer.json, "call_time": None, "response_time": None}
    agreed = {**response["body"], "call_time": None, "response_time": None}
    if name == "too_large":  # the limit of the sample is the usual one
        said = {**said, "output": None, "error": None}
        agreed = {**agreed, "output": None, "error": None}
    assert (answer.status_code, said) == (response["status"], agreed)
