"""An unknown argument's name may be a secret in the wrong place: it is never repeated whole."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote import TOKEN

from airflow_remote_server.util.masking import hide_name

SECRET_JSON = '{"conn_id": "c", "conn_password": "hunter2"}'
UNDECLARED: dict[str, dict[str, Any]] = {
    "no type": {"method": "POST", "data": SECRET_JSON},
    "a form": {"method": "POST", "data": SECRET_JSON, "content_type": "application/x-www-form-urlencoded"},
    "a form with a charset": {
        "method": "POST",
        "data": f"\ufeff \r\n{SECRET_JSON}",
        "content_type": "application/x-www-form-urlencoded; charset=utf-8",
    },
    "an encoded form": {
        "method": "POST",
        "data": quote(SECRET_JSON),
        "content_type": "application/x-www-form-urlencoded",
    },
    "text": {"method": "POST", "data": SECRET_JSON, "content_type": "text/plain"},
    "a list": {"method": "POST", "data": f"[{SECRET_JSON}]"},
    "a query": {"query_string": quote(SECRET_JSON)},
}


@pytest.mark.parametrize("request_", UNDECLARED.values(), ids=UNDECLARED)
@pytest.mark.parametrize("path", ["v1.0/connections", "v1.0/commands/connections/add", "?api=connections"])
def test_undeclared_json_is_refused_and_not_repeated(
    remote: Any, path: str, request_: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    more = {"method": "POST", **request_}
    path, _, query = path.partition("?")
    more["query_string"] = "&".join(filter(None, [query, more.get("query_string", "")]))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with caplog.at_level(logging.DEBUG):
        response = remote.client.open(f"/admin/rest_api/api/{path}".rstrip("/"), headers=headers, **more)
    assert response.status_code == 400, response.text
    assert "'Content-Type: application/json'" in response.text
    audit = remote("audit", query_string={"limit": 1}).text
    assert "hunter2" not in response.text + caplog.text + audit


@pytest.mark.parametrize(
    "name", ["hunter2", "correcthorsebatterystaple", "x" * 41, "eyJhbGciOi.J9", "é", "a"]
)
@pytest.mark.parametrize("kind", ["query", "form", "multipart", "json", "jobs"])
def test_unknown_name_is_not_repeated_whole(
    remote: Any, name: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    more: dict[str, dict[str, Any]] = {
        "query": {"query_string": {name: "1"}},
        "form": {"method": "POST", "data": {name: "1"}},
        "multipart": {"method": "POST", "data": {name: "1"}, "content_type": "multipart/form-data"},
        "json": {"method": "POST", "json": {name: "1"}},
        "jobs": {"query_string": {name: "1"}},
    }
    response = remote("jobs" if kind == "jobs" else "version", **more[kind])
    assert response.status_code == 400
    assert "unknown argument " in response.json["output"]
    if len(name) > 1:
        assert name[: len(name) // 2 + 1] not in response.text + caplog.text


@given(st.text(min_size=1))
def test_at_most_half_of_a_name_is_repeated(name: str) -> None:
    shown = hide_name(name)
    beginning = shown.strip("'").removesuffix("...")
    assert shown == f"of {len(name)} characters" or (
        name.startswith(beginning) and len(beginning) <= min(8, len(name) / 2)
    )
