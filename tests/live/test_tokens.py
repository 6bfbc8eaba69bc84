"""Only requests with the token are accepted, on every route. No test here may start a process."""

from __future__ import annotations

from typing import Any

import pytest

from live.curl import fetch_json
from live.database import fetch_runs
from live.harness import PREFIX, TOKEN, Server

FREE_FAILURES, UNGUESSABLE = 50, 32
"""Wrong tokens before an address has to wait, and the length from which a token need not."""
REFUSAL_KEYS = {"call_time", "output", "response_time", "status"}
UNDERSCORES, HYPHENS = "rest_api_plugin_http_token", "rest-api-plugin-http-token"

# requests sends bytes unchanged, so a test controls the exact header.
GOOD = {
    "underscores": {UNDERSCORES: TOKEN},
    "hyphens": {HYPHENS: TOKEN},
    "mixed case": {"Rest-Api-Plugin-Http-Token": TOKEN},
    "bearer": {"Authorization": f"Bearer {TOKEN}"},
    "bearer in lower case": {"Authorization": f"bearer {TOKEN}"},
    "through a proxy": {HYPHENS: TOKEN, "X-Forwarded-For": "203.0.113.9"},
}
BAD: dict[str, dict[str, Any]] = {
    "none": {},
    "wrong": {HYPHENS: "wrong"},
    "wrong, underscores": {UNDERSCORES: "wrong"},
    "wrong, bearer": {"Authorization": "Bearer wrong"},
    "empty": {HYPHENS: ""},
    "empty, underscores": {UNDERSCORES: ""},
    "empty bearer": {"Authorization": "Bearer "},
    "no scheme": {"Authorization": TOKEN},
    "basic": {"Authorization": f"Basic {TOKEN}"},
    "a prefix of it": {HYPHENS: TOKEN[:-1]},
    "longer than it": {HYPHENS: TOKEN + "x"},
    "other case": {HYPHENS: TOKEN.upper()},
    "both spellings, right and wrong": {UNDERSCORES: TOKEN, HYPHENS: "wrong"},
    "both spellings, wrong and right": {UNDERSCORES: "wrong", HYPHENS: TOKEN},
    "a list": {HYPHENS: f"{TOKEN},{TOKEN}"},
    "a list with blanks": {HYPHENS: f"wrong, {TOKEN}"},
    "unicode": {HYPHENS: "tökén-日本".encode()},
    "bytes that are no unicode": {HYPHENS: b"\xff\xfe\x80"},
    "look-alike": {HYPHENS: TOKEN.replace("e", "е").encode()},  # noqa: RUF001 (a Cyrillic e on purpose)
    "wrong here, right as bearer": {HYPHENS: "wrong", "Authorization": f"Bearer {TOKEN}"},
}


@pytest.mark.parametrize("headers", GOOD.values(), ids=GOOD)
def test_the_right_token_is_accepted(server: Server, headers: dict[str, Any]) -> None:
    reply = server.request("/api/v1.0/rest_api_plugin_version", headers=headers)
    assert (reply.status, reply["status"]) == (200, "OK"), reply.text


@pytest.mark.parametrize("headers", BAD.values(), ids=BAD)
def test_any_other_token_is_rejected(server: Server, headers: dict[str, Any]) -> None:
    reply = server.request("/api/v1.0/rest_api_plugin_version", headers=headers)
    assert reply.status == 403, reply.text
    assert reply.json.keys() == REFUSAL_KEYS
    assert (reply["output"], reply["status"]) == ("Token Authentication Failed", "ERROR")


def test_two_authorization_headers_are_rejected(server: Server) -> None:
    header = ("-H", f"Authorization: Bearer {TOKEN}")
    url = f"{server.url}{PREFIX}/api/v1.0/rest_api_plugin_version"
    assert fetch_json(*header, url)[0] == 200
    assert fetch_json(*header, *header, url)[0] == 403
    assert fetch_json(*header, "-H", "Authorization: Bearer wrong", url)[0] == 403


def test_requests_without_a_token_are_no_guesses(server: Server) -> None:
    # The test server of Airflow 3 sets simple_auth_manager_all_admins, which adds an Authorization header.
    assert len(TOKEN) < UNGUESSABLE
    for _ in range(FREE_FAILURES + 5):
        assert server.request("/api/v1.0/rest_api_plugin_version", headers={}).status == 403
    assert server.request("/api/v1.0/rest_api_plugin_version").status == 200


ROUTES = [
    ("GET", "/api/v1.0/version"),
    ("GET", "/api/v1.0/trigger_dag?dag_id=hello_remote"),
    ("GET", "/api/v1.0/no_such_endpoint"),
    ("GET", "/api?api=version"),
    ("GET", "/api"),
    ("GET", "/nothing/is/here"),
    ("GET", "/api/v1.0/version/"),
    ("POST", "/api/v1.0/trigger_dag"),
    ("POST", "/api/v1.0/health"),
    ("POST", "/"),
    ("PUT", "/api/v1.0/version"),
    ("OPTIONS", "/api/v1.0/version"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[" ".join(route) for route in ROUTES])
def test_a_rejection_does_not_reveal_which_routes_exist(server: Server, method: str, path: str) -> None:
    before = fetch_runs(server)
    body = {"data": {"dag_id": "hello_remote"}} if method == "POST" else {}
    reply = server.request(path, method, headers={HYPHENS: "wrong"}, **body)
    assert reply.status == 403, reply.text
    assert reply.json.keys() == REFUSAL_KEYS
    assert reply["output"] == "Token Authentication Failed"
    assert fetch_runs(server) == before


def test_a_head_request_is_rejected_too(server: Server) -> None:
    assert server.request("/api/v1.0/version", "HEAD", headers={}).status == 403


def test_the_page_its_stylesheet_and_health_need_no_token(server: Server) -> None:
    page = server.request("/", headers={})
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "trigger_dag" in page.text
    assert TOKEN not in page.text
    health = server.request("/api/v1.0/health", headers={})
    assert (health.status, health.json) == (200, {"status": "healthy", "ready": True})
    assert server.request("/static/style.css", headers={}).status == 200


def test_the_page_without_its_slash_redirects_to_the_page(server: Server) -> None:
    reply = server.request("", headers={})
    assert reply.status == 308
    assert reply.headers["Location"].removeprefix(server.url) == f"{PREFIX}/"


def test_a_rejection_is_json_that_must_not_be_cached(server: Server) -> None:
    reply = server.request("/api/v1.0/version", headers={})
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
