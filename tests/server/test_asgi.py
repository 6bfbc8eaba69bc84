"""Test the ASGI middleware with the messages of a server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from remote import TOKEN

from airflow_remote_server.asgi import RestApiAsgiMiddleware
from airflow_remote_server.http.asgi_connection import AsgiConnection

if TYPE_CHECKING:
    from collections.abc import Callable

FORM = b"application/x-www-form-urlencoded"
BODY = {"type": "http.request", "body": b"nope=1", "more_body": True}
END = {"type": "http.request", "body": b"", "more_body": False}
DISCONNECT = {"type": "http.disconnect"}


@pytest.fixture
def post(make_settings: Callable[..., Any]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Send a body in parts, and then nothing, to an endpoint that takes no arguments; chunked by default."""

    def call(*parts: dict[str, Any], length: bytes = b"") -> tuple[int, dict[str, Any]]:
        waiting, sent = list(parts), list[Any]()

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop(0)
            await asyncio.Event().wait()
            raise AssertionError("unreachable: waits forever")

        async def send(message: Any) -> None:
            sent.append(message)

        async def other(*_: Any) -> None:
            raise AssertionError("the path belongs to the API")

        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/admin/rest_api/api/v1.0/version",
            "query_string": b"",
            "root_path": "",
            "client": ("127.0.0.1", 1),
            "headers": [(b"content-type", FORM), (b"rest-api-plugin-http-token", TOKEN.encode())],
        }
        if length:
            scope["headers"].append((b"content-length", length))
        app = RestApiAsgiMiddleware(other, make_settings(body_timeout=0.5))
        asyncio.run(app(scope, receive, send))
        body = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(body)

    return call


@pytest.mark.parametrize(
    ("root", "path", "location"),
    [
        ("", "//admin/rest_api/api/v1.0/version", "/admin/rest_api/api/v1.0/version"),
        ("/pre", "//pre/admin/rest_api/api/v1.0/version", "/pre/admin/rest_api/api/v1.0/version"),
        ("/pre", "/pre//admin/rest_api", "/pre/admin/rest_api/"),
        ("/pre", "/./admin/rest_api/é", "/pre/admin/rest_api/%C3%A9"),
    ],
)
def test_other_spelling_of_path_is_redirected(
    make_settings: Callable[..., Any], root: str, path: str, location: str
) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return END

    async def other(*_: Any) -> None:
        raise AssertionError("the path belongs to the API")

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": b"a=1",
        "root_path": root,
        "client": ("127.0.0.1", 1),
        "headers": [],
    }
    asyncio.run(RestApiAsgiMiddleware(other, make_settings())(scope, receive, send))
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"location"].decode()) == (308, f"{location}?a=1")


LENGTHS = pytest.mark.parametrize("length", [b"", b"6", b"100000"], ids=["chunked", "short", "long"])


def test_body_is_read_completely(post: Any) -> None:
    for length in (b"", b"6"):
        status, envelope = post(BODY, END, length=length)
        assert (status, "unknown argument 'no...'" in envelope["output"]) == (400, True)


@LENGTHS
def test_disconnect_does_not_end_body(post: Any, length: bytes) -> None:
    parts = [{**BODY, "body": b"nope="}, DISCONNECT]
    status, envelope = post(*parts, length=length)
    assert (status, "incomplete" in envelope["output"]) == (400, True)


@LENGTHS
def test_stalled_body_times_out(post: Any, length: bytes) -> None:
    assert post({**BODY, "body": b"nope="}, length=length)[0] == 408


async def unused(_: Any) -> None:
    raise AssertionError("nothing is sent")


def test_client_that_disconnects_while_its_request_waits_is_gone() -> None:
    async def check() -> None:
        closed = asyncio.Event()
        messages = [END]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await closed.wait()
            return DISCONNECT

        connection = AsgiConnection(receive, unused, 32, lambda: 30.0)
        assert not connection.is_gone()
        await asyncio.sleep(0)
        assert not connection.is_gone()
        closed.set()

        async def until_gone() -> None:
            while not connection.is_gone():
                await asyncio.sleep(0.01)

        await asyncio.wait_for(until_gone(), 60)
        connection.close()

    asyncio.run(check())


def test_server_that_cannot_tell_whether_a_client_is_gone() -> None:
    async def check() -> None:
        async def receive() -> dict[str, Any]:
            raise RuntimeError("the body has been received")

        connection = AsgiConnection(receive, unused, 32, lambda: 30.0)
        for _ in range(3):
            assert not connection.is_gone()
            await asyncio.sleep(0)
        connection.close()

    asyncio.run(check())
