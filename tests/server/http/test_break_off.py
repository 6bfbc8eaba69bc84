"""Test that a response breaks off under a real ASGI server, whatever other middlewares there are."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.gzip import GZipMiddleware

from airflow_remote_server.http.asgi_connection import BREAK_OFF, AsgiConnection
from airflow_remote_server.http.sending import BLOCK
from airflow_remote_server.integrations.asgi_transport import find_transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.airflow3

PIECES = 20


async def broken_off(scope: Any, receive: Any, send: Any) -> None:
    """Send pieces of a body, break off, and go on as a2wsgi does."""
    connection = AsgiConnection(receive, send, 32, lambda: 30.0)
    await connection.send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(PIECES):
        await connection.send({"type": "http.response.body", "body": b"%9d" % number, "more_body": True})
    error = ConnectionResetError()
    await connection.send(
        {"type": "http.response.body", "body": connection.break_off(error), "more_body": True}
    )
    await connection.send({"type": "http.response.body", "body": b""})
    connection.close()


async def pass_on(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    return await call_next(request)


def wrap_in_middlewares() -> Iterator[Any]:
    def wrap(app: Any, times: int) -> Any:
        for _ in range(times):
            app = BaseHTTPMiddleware(app, dispatch=pass_on)
        return app

    yield pytest.param(broken_off, id="alone")
    yield pytest.param(ServerErrorMiddleware(broken_off), id="server-error")
    yield pytest.param(wrap(broken_off, 1), id="base")
    yield pytest.param(ServerErrorMiddleware(wrap(GZipMiddleware(wrap(broken_off, 2)), 2)), id="many")


async def serve(app: Any, http: str, use: Callable[[socket.socket], Awaitable[Any]]) -> Any:
    """Run uvicorn, send a request, and return what a function makes of the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        server = uvicorn.Server(uvicorn.Config(app, http=http, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve([listener]))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        result = await use(client)
        server.should_exit = True
        await asyncio.wait_for(serving, 60)
        return result


@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("app", list(wrap_in_middlewares()))
def test_broken_off_response_has_no_last_chunk(app: Any, http: str, caplog: pytest.LogCaptureFixture) -> None:
    async def read(client: socket.socket) -> bytes:
        reader, writer = await asyncio.open_connection(sock=client)
        received = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        return received

    with caplog.at_level(logging.ERROR):
        received = asyncio.run(serve(app, http, read))
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"%9d" % (PIECES - 1) in received, "what was sent before has arrived"
    assert not received.endswith(b"0\r\n\r\n")
    assert caplog.records == []


@pytest.mark.parametrize("wraps", [0, 2])
def test_client_that_reads_nothing_loses_its_connection(wraps: int, caplog: pytest.LogCaptureFixture) -> None:
    ended = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        connection = AsgiConnection(receive, send, 32, lambda: 0.3)
        await connection.send({"type": "http.response.start", "status": 200, "headers": []})
        part = {"type": "http.response.body", "body": b"x" * BLOCK, "more_body": True}
        while not connection.is_gone():
            await connection.send(part)
            await asyncio.sleep(0)
        await connection.send({"type": "http.response.body", "body": b""})
        connection.close()
        ended.set()

    async def read_nothing(client: socket.socket) -> bytes:
        await asyncio.wait_for(ended.wait(), 60)
        received = bytearray()
        while data := client.recv(1 << 20):
            received += data
        return bytes(received)

    app: Any = endless
    for _ in range(wraps):
        app = BaseHTTPMiddleware(app, dispatch=pass_on)
    with caplog.at_level(logging.ERROR):
        received = asyncio.run(serve(app, "h11", read_nothing))
    assert received.startswith(b"HTTP/1.1 200 ")
    assert not received.endswith(b"0\r\n\r\n")
    assert caplog.records == []


def test_unknown_server_gets_an_error() -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing is received")

    async def send(message: Any) -> None:
        assert message["body"] is not BREAK_OFF

    async def check() -> None:
        connection = AsgiConnection(receive, send, 32, lambda: 30.0)
        with pytest.raises(ConnectionResetError):
            await connection.send({"type": "http.response.body", "body": BREAK_OFF})
        await connection.send({"type": "http.response.body", "body": b"ignored"})

    assert find_transport(send, receive) is None
    asyncio.run(check())
