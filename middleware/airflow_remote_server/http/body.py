"""Read the body of a request: completely, within a size limit, and in time.

A truncated body is rejected, because part of it might be another command.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments, TooLarge, TooSlow, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request

DEFAULT_TIMEOUT = 60.0
"""Seconds in which a body must arrive, unless the configuration sets another time."""

BLOCK = 1 << 16


def read_body(request: Request, limit: int, timeout: float = DEFAULT_TIMEOUT) -> bytes:
    """Read the whole body of a request.

    :param request: the request
    :param limit: the maximum number of bytes
    :param timeout: seconds in which the body must arrive
    :raises ApiError: see ``read_blocks``
    """
    return b"".join(read_blocks(request, limit, timeout))


def read_blocks(request: Request, limit: int, timeout: float = DEFAULT_TIMEOUT) -> Iterator[bytes]:
    """Read the whole body of a request, and yield each part as it arrives. The body is valid at the end only.

    :param request: the request
    :param limit: the maximum number of bytes
    :param timeout: seconds in which the body must arrive
    :raises BadArguments: if the client sent less than it announced, or invalid chunks
    :raises TooLarge: if the body exceeds the limit
    :raises TooSlow: if the body does not arrive in time
    :raises UnsupportedMediaType: if the body is compressed
    """
    length = request.content_length
    chunked = bool(request.environ.get("wsgi.input_terminated")) and length is None
    if length is None and not chunked:
        return
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity") and length != 0:
        # A small compressed body can become a very large one.
        raise UnsupportedMediaType(
            f"a compressed body ({coding[:40]!r}) is not supported: send it without Content-Encoding",
            {"Accept-Encoding": "identity"},
        )
    too_large = TooLarge(f"the body is over {limit} bytes")
    if length is not None and length > limit:
        raise too_large
    deadline = time.monotonic() + timeout
    too_slow = TooSlow(f"the body did not arrive within {timeout:g} s")
    size, most = 0, limit + 1 if length is None else length
    with _shutdown_after(request, timeout):
        while block := _read_block(request, min(most - size, BLOCK), deadline, too_slow):
            size += len(block)
            if size > limit:
                raise too_large
            yield block
    if length is not None and size < length:
        if time.monotonic() > deadline:
            raise too_slow
        raise BadArguments(f"the body is incomplete: {size} of {length} bytes arrived")


def _read_block(request: Request, size: int, deadline: float, too_slow: TooSlow) -> bytes:
    """Return the next bytes of a body; b"" at its end."""
    if not size:
        return b""
    try:
        block: bytes = request.environ["wsgi.input"].read(size)
    except TimeoutError:  # from ``asgi``, which may be slightly ahead of this deadline
        raise too_slow from None
    except Exception:  # noqa: BLE001 - each server raises exceptions of its own for invalid chunks
        if time.monotonic() > deadline:
            raise too_slow from None
        raise BadArguments("the body cannot be read: it is incomplete or its chunks are invalid") from None
    if block and time.monotonic() > deadline:
        raise too_slow
    return block


@contextmanager
def _shutdown_after(request: Request, seconds: float) -> Iterator[None]:
    """Stop reading a body that takes too long: gunicorn waits on as long as a byte arrives now and then.

    Under an ASGI server, ``asgi`` enforces the timeout itself.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    timer = threading.Timer(seconds, _shutdown, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shutdown(connection: socket.socket) -> None:
    with suppress(OSError):  # already closed
        # SSLSocket.shutdown would also end TLS, and the response still has to be sent.
        socket.socket.shutdown(connection, socket.SHUT_RD)
