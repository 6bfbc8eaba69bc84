"""Pass the body of a response on to the web server, as fast as the client reads it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_remote_server.http.connection import Connection

BLOCK = 1 << 14
"""The maximum number of bytes that are sent at once; they fit into a socket that can be written to."""


def send_body(body: Iterable[bytes], connection: Connection, timeout: float) -> Iterable[bytes]:
    """Return the body of a response for the web server.

    If the body raises ``ConnectionResetError``, or the client reads nothing for a while, the response breaks
    off: its last chunk is not sent, so the client can tell that it is incomplete (RFC 9112, 8).

    :param body: the body, as a WSGI application returns it
    :param connection: the connection of the request
    :param timeout: how long a client may read nothing, in seconds
    """
    return ClosingIterator(_pass_on(body, connection, timeout), [getattr(body, "close", _do_nothing)])


def _pass_on(body: Iterable[bytes], connection: Connection, timeout: float) -> Iterator[bytes]:
    try:
        for block in split_blocks(body):
            if not connection.can_write(timeout):
                raise ConnectionResetError(errno.ECONNRESET, f"the client read nothing for {timeout:g} s")
            yield block
    except ConnectionResetError as error:
        yield connection.break_off(error)


def split_blocks(body: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts of a body, large ones in blocks.

    :param body: the body, as a WSGI application returns it
    """
    for part in body:
        if len(part) <= BLOCK:
            yield part
        else:
            yield from (part[start : start + BLOCK] for start in range(0, len(part), BLOCK))


def _do_nothing() -> None:
    """Close nothing."""
