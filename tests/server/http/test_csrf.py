"""Without a token, a web page of another site can change nothing, whatever its request looks like."""

from __future__ import annotations

from typing import Any

import pytest

LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
API = "/admin/rest_api/api"
SET = {"set": "csrf", "value": "1"}
FORGED: dict[str, dict[str, Any]] = {
    "an image": {"query_string": SET},
    "an image with an Accept header": {"query_string": SET, "headers": {"Accept": "text/plain"}},
    "a form": {"method": "POST", "data": SET},
    "a form with a query": {"method": "POST", "query_string": SET},
    "a multipart form": {"method": "POST", "data": SET, "content_type": "multipart/form-data"},
    "a form with credentials": {"method": "POST", "data": SET, "headers": {"Authorization": "Basic eDp5"}},
    "a form that names JSON": {
        "method": "POST",
        "query_string": SET,
        "content_type": "text/plain; application/json",
    },
    "GET with JSON": {"query_string": SET, "content_type": "application/json"},
    "GET with the header": {"query_string": SET, "headers": {"X-Requested-With": "x"}},
}
INTENDED: dict[str, dict[str, Any]] = {
    "JSON": {"json": SET},
    "an empty JSON body": {"query_string": SET, "content_type": "application/json; charset=utf-8"},
    "X-Requested-With": {"data": SET, "headers": {"X-Requested-With": "curl"}},
    "the token header": {"data": SET, "headers": {"rest_api_plugin_http_token": ""}},
}


@pytest.fixture(params=[False, True], ids=["this machine", "allow_anonymous"])
def open_client(request: pytest.FixtureRequest, make_client: Any, shared_state: Any) -> Any:
    client = make_client(token=None, allow_anonymous=request.param, state_dir=shared_state)

    def send(path: str, **more: Any) -> Any:
        return client.open(f"{API}{path}", environ_overrides=LOCAL, **more)

    return send


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("path", ["/v1.0/variables", "?api=variables"])
def test_forged_request_changes_nothing(
    make_client: Any, state: Any, path: str, forged: dict[str, Any]
) -> None:
    more = dict(forged)
    if "?" in path:
        more["query_string"] = {**more.get("query_string", {}), "api": "variables"}
    path = path.partition("?")[0]
    client = make_client(token=None, allow_anonymous=True)
    response = client.open(f"{API}{path}", environ_overrides=LOCAL, **more)
    assert response.status_code == 403, response.text
    assert "must be a POST with the header 'X-Requested-With: curl'" in response.json["error"]["message"]
    assert not [*state.glob("jobs/*")], "no job was created"


@pytest.mark.parametrize("intended", INTENDED.values(), ids=INTENDED)
def test_request_that_no_page_can_send_runs(open_client: Any, intended: dict[str, Any]) -> None:
    response = open_client("/v1.0/variables", method="POST", **intended)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1.0/rest_api_plugin_version", {}),
        ("/v1.0/rest_api_plugin_version", {"method": "POST", "data": {}}),
        ("/v1.0/version", {}),
        ("/v1.0/version", {"method": "POST"}),
        ("/v1.0/commands/version", {}),
        ("/v1.0/jobs", {}),
    ],
)
def test_reading_needs_no_header(open_client: Any, path: str, more: dict[str, Any]) -> None:
    response = open_client(path, **more)
    assert response.status_code == 200, response.text


def test_forged_request_stops_no_job(open_client: Any) -> None:
    response = open_client("/v1.0/jobs/nope/stop", method="POST")
    assert response.status_code == 403
    response = open_client("/v1.0/jobs/nope/stop", method="POST", headers={"X-Requested-With": "x"})
    assert response.status_code == 404


def test_live_command_needs_header(open_client: Any) -> None:
    path, form = "/v1.0/commands/variables/delete", {"key": "no such variable"}
    assert open_client(path, method="POST", data=form).status_code == 403
    intended = open_client(path, method="POST", data=form, headers={"X-Requested-With": "curl"})
    assert intended.status_code in (200, 404, 422), intended.text


def test_with_token_get_changes_as_in_2016(ask: Any) -> None:
    status, envelope = ask("variables", query_string={"set": "x"})
    assert (status, "value" in envelope["output"]) == (400, True), "rejected for its arguments only"
