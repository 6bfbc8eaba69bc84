"""Test how a WSGI application is called from an ASGI server, with the messages of a server."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.http.asgi_bridge import MOST_BYTES, Bridge
from airflow_remote_server.http.connection import BODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Message = dict[str, Any]


def request_of(*headers: tuple[bytes, bytes]) -> Message:
    """Return the scope of a request."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": list(headers),
    }


def call(app: Any, *parts: bytes, headers: tuple[tuple[bytes, bytes], ...] | None = None) -> list[Message]:
    """Send a request to a WSGI application, and return the messages of the response.

    :param app: the application; its environ has the body that was read, if it was
    :param parts: the body
    :param headers: by default, the length of the body
    """
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    if headers is None:
        headers = ((b"content-length", str(sum(map(len, parts))).encode()),)
    asyncio.run(Bridge(app, workers=1)(request_of(*headers), receive, send))
    return sent


def responding(*chunks: bytes, length: int | None = None) -> Any:
    """Return an application that responds with some chunks."""

    def app(_: Message, start_response: Any) -> Iterable[bytes]:
        headers = [] if length is None else [("Content-Length", str(length))]
        start_response("200 OK", headers)
        return chunks

    return app


def reading(environ: Message) -> bytes:
    """Return the body that an application sees."""
    scope = environ["asgi.scope"]
    body: bytes = scope.get(BODY, environ["wsgi.input"]).read()
    return body


def echo(environ: Message, start_response: Any) -> Iterable[bytes]:
    """Respond with the body, and say whether it was read before."""
    body = reading(environ)
    start_response(
        "200 OK", [("Content-Length", str(len(body))), ("Read", str(BODY in environ["asgi.scope"]))]
    )
    return [body]


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_body_arrives_whatever_its_parts_are(parts: list[bytes]) -> None:
    assert b"".join(message.get("body", b"") for message in call(echo, *parts)) == b"".join(parts)


@given(st.lists(st.binary(max_size=100), max_size=5), st.booleans())
def test_response_arrives_whatever_its_chunks_are(chunks: list[bytes], has_length: bool) -> None:
    length = sum(map(len, chunks)) if has_length else None
    sent = call(responding(*chunks, length=length))
    assert [message["type"] for message in sent] == [
        "http.response.start",
        *["http.response.body"] * (len(sent) - 1),
    ]
    assert b"".join(message.get("body", b"") for message in sent) == b"".join(chunks)
    assert not sent[-1].get("more_body")


def test_complete_response_is_sent_in_two_messages() -> None:
    sent = call(responding(b"all", length=3))
    assert sent[0]["headers"] == [(b"content-length", b"3")]
    assert sent[1:] == [{"type": "http.response.body", "body": b"all", "more_body": False}]
    assert len(call(responding(length=3))) == 2, "the response to HEAD has no body"


def test_response_of_parts_is_sent_as_they_come() -> None:
    first_sent = threading.Event()

    def app(_: Message, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        yield b"ab"
        first_sent.set()  # a2wsgi returns when the event loop has taken the message
        yield b"cd"

    sent = call(app)
    assert [message.get("body") for message in sent[1:]] == [b"ab", b"cd", b""]
    assert first_sent.is_set()


@pytest.mark.parametrize(
    ("size", "headers", "is_read"),
    [
        (MOST_BYTES, None, True),
        (MOST_BYTES + 1, None, False),
        (10, ((b"content-length", b"10"), (b"expect", b"100-continue")), False),
        (10, ((b"transfer-encoding", b"chunked"),), False),
        (10, ((b"content-length", b"ten"),), False),
        (10, ((b"content-length", b"9" * 5000),), False),
        (0, None, False),
    ],
)
def test_only_short_bodies_are_read_before_authentication(
    size: int, headers: tuple[tuple[bytes, bytes], ...] | None, is_read: bool
) -> None:
    sent = call(echo, b"x" * size, headers=headers)
    assert (b"read", str(is_read).encode()) in sent[0]["headers"]
    assert sum(len(message.get("body", b"")) for message in sent) == size


def test_error_while_a_short_body_is_read_is_raised_when_the_application_reads_it() -> None:
    async def receive() -> Message:
        raise ConnectionError("the connection ended before the body did")

    async def send(message: Message) -> None:
        sent.append(message)

    def app(environ: Message, start_response: Any) -> Iterable[bytes]:
        with pytest.raises(ConnectionError, match="before the body did"):
            reading(environ)
        start_response("400 Bad Request", [])
        return []

    sent: list[Message] = []
    request = request_of((b"content-length", b"3"))
    asyncio.run(Bridge(app, workers=1)(request, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 400
