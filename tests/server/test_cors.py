"""Web pages of other sites: who has listed one lets it in, with a token, and never by a cookie."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import TOKEN

PATH = "/admin/rest_api/api/v1.0/rest_api_plugin_version"
LISTED = "https://ci.example"
ASKS = {"Access-Control-Request-Method": "POST"}


@pytest.fixture
def client(make_client: Any) -> Any:
    return make_client(cors_origins=(LISTED,))


def allowed(response: Any) -> str | None:
    """The origin that may read a response."""
    found: str | None = response.headers.get("Access-Control-Allow-Origin")
    return found


def test_a_listed_page_may_use_the_api_with_a_token(client: Any) -> None:
    response = client.options(PATH, headers={"Origin": LISTED, **ASKS})
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
def test_no_other_page_may(client: Any, origin: str) -> None:
    response = client.options(PATH, headers={"Origin": origin, **ASKS})
    assert (response.status_code, allowed(response)) == (403, None)
    response = client.get(PATH, headers={"Origin": origin, "Authorization": f"Bearer {TOKEN}"})
    assert allowed(response) is None


def test_by_default_no_page_may(make_client: Any) -> None:
    response = make_client().options(PATH, headers={"Origin": LISTED, **ASKS})
    assert (response.status_code, allowed(response)) == (403, None)


def test_a_listed_page_is_not_let_in_without_a_token(client: Any) -> None:
    assert client.get(PATH, headers={"Origin": LISTED}).status_code == 403
    assert client.options(PATH, headers={"Origin": LISTED}).status_code == 403, "it asks for nothing"


def test_without_tokens_a_listed_page_is_another_site_like_any(make_client: Any) -> None:
    client = make_client(token=None, allow_anonymous=True, cors_origins=(LISTED,))
    for headers in ({"Origin": LISTED}, {"Origin": LISTED, **ASKS}):
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
def test_no_cookie_authenticates_anything(client: Any, cookie: str, method: str) -> None:
    """FlowFixation: a session of a shared parent domain that was let in by its cookie."""
    response = client.open(PATH, method=method, headers={"Cookie": cookie, "Origin": LISTED})
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_no_answer_sets_a_cookie_or_allows_credentials(client: Any) -> None:
    headers = {"Origin": LISTED, "Authorization": f"Bearer {TOKEN}"}
    for path in ("/admin/rest_api/", PATH, "/admin/rest_api/api/v1.0/health", "/admin/rest_api/nope"):
        response = client.get(path, headers=headers)
        assert "Set-Cookie" not in response.headers
        assert "Access-Control-Allow-Credentials" not in response.headers
