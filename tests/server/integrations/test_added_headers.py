"""The Authorization header that Airflow 3 adds is removed, and none that a client sent."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from airflow_remote_server.integrations.added_headers import ADDS_AUTHORIZATION, without_added_authorization

CLIENTS = [
    [],
    [(b"authorization", b"Bearer x")],
    [(b"authorization", b"Bearer x"), (b"accept", b"y"), (b"authorization", b"Bearer z")],
]


class Inner:
    """Takes the place of this project's middleware."""

    seen: Any = None

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            Inner.seen = list(scope["headers"]), without_added_authorization(scope, Inner)
        await self.app(scope, receive, send)


@pytest.fixture
def adding(monkeypatch: pytest.MonkeyPatch) -> Any:
    path, _, name = ADDS_AUTHORIZATION.rpartition(".")
    module = importlib.import_module(path)
    # Making a token needs a configured auth manager.
    monkeypatch.setattr(module.SimpleAuthManagerLogin, "create_token_all_admins", lambda *_: "airflow")
    return getattr(module, name)


def call(headers: Any, *stack: Any) -> Any:
    """Send a request through middleware, the innermost first, and return what ``Inner`` saw."""
    app = importlib.import_module("starlette.applications").Starlette()  # only Airflow 3 has it
    for each in stack:
        app.add_middleware(each)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    asyncio.run(app(scope, receive, send))
    return Inner.seen


@pytest.mark.airflow3
@pytest.mark.parametrize("headers", CLIENTS)
def test_added_header_is_removed(adding: Any, headers: Any) -> None:
    arrived, kept = call(headers, Inner, adding)
    assert len(arrived) == len(headers) + 1, "Airflow still adds a header"
    assert kept == headers


@pytest.mark.airflow3
@pytest.mark.parametrize("headers", CLIENTS)
def test_headers_of_client_are_kept_outside_of_that_middleware(adding: Any, headers: Any) -> None:
    assert call(headers, adding, Inner) == (headers, headers)


@pytest.mark.parametrize("headers", CLIENTS)
@pytest.mark.parametrize("scope", [{}, {"app": object()}])
def test_headers_are_kept_without_that_middleware(headers: Any, scope: Any) -> None:
    assert without_added_authorization({**scope, "headers": headers}, Inner) == headers
