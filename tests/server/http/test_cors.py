"""Test cross-origin requests: only configured origins, only with a token, never by cookie."""

from __future__ import annotations

from typing import Any

import pytest
from remote import TOKEN

PATH = "/admin/rest_api/api/v1.0/rest_api_plugin_version"
LISTED = "https://ci.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.fixture
def client(make_client: Any) -> Any:
    return make_client(cors_origins=(LISTED,))


def allowed(response: Any) -> str | None:
    """Return the origin that may read a response."""
    origin: str | None = response.headers.get("Access-Control-Allow-Origin")
    return origin


def test_allowed_origin_may_use_api_with_token(client: Any) -> None:
    response = client.options(PATH, headers={"Origin": LISTED, **PREFLIGHT})
    assert (response.status_code, allowed(response)) == (204, LISTED)
    for header in ("Authorization", "Idempotency-Key", "Prefer", "rest-api-plugin-http-token"):
        assert header in response.headers["Access-Control-Allow-Headers"]
    response = client.get(PATH, headers={"Origin": LISTED, "Authorization": f"Bearer {TOKEN}"})
    assert (response.status_code, allowed(response)) == (200, LISTED)
    assert "Origin" in response.headers["Vary"]
    assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://ci.example.evil", "http://ci.example", "null", "*", ""]
)
def test_other_origins_are_rejected(client: Any, origin: str) -> None:
    response = client.options(PATH, headers={"Origin": origin, **PREFLIGHT})
    assert (response.status_code, allowed(response)) == (403, None)
    response = client.get(PATH, headers={"Origin": origin, "Authorization": f"Bearer {TOKEN}"})
    assert allowed(response) is None


def test_no_origin_is_allowed_by_default(make_client: Any) -> None:
    response = make_client().options(PATH, headers={"Origin": LISTED, **PREFLIGHT})
    assert (response.status_code, allowed(response)) == (403, None)


def test_allowed_origin_still_needs_token(client: Any) -> None:
    assert client.get(PATH, headers={"Origin": LISTED}).status_code == 403
    assert client.options(PATH, headers={"Origin": LISTED}).status_code == 403, "not a preflight request"


def test_allowed_origin_is_rejected_when_no_token_is_configured(make_client: Any) -> None:
    client = make_client(token=None, allow_anonymous=True, cors_origins=(LISTED,))
    for headers in ({"Origin": LISTED}, {"Origin": LISTED, **PREFLIGHT}):
        for method in ("GET", "OPTIONS", "POST"):
            response = client.open(PATH, method=method, headers=headers)
            assert (response.status_code, allowed(response)) == (403, None)


@pytest.mark.parametrize(
    "cookie",
    [
        f"{name}={TOKEN}"
        for name in ("rest_api_plugin_http_token", "token", "session", "Authorization", "_token")
    ]
    + [f"Authorization=Bearer {TOKEN}"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_cookies_never_authenticate(client: Any, cookie: str, method: str) -> None:
    """FlowFixation: a cookie of a shared parent domain authenticated a session."""
    response = client.open(PATH, method=method, headers={"Cookie": cookie, "Origin": LISTED})
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_responses_never_set_cookies_or_allow_credentials(client: Any) -> None:
    headers = {"Origin": LISTED, "Authorization": f"Bearer {TOKEN}"}
    for path in ("/admin/rest_api/", PATH, "/admin/rest_api/api/v1.0/health", "/admin/rest_api/nope"):
        response = client.get(path, headers=headers)
        assert "Set-Cookie" not in response.headers
        assert "Access-Control-Allow-Credentials" not in response.headers
