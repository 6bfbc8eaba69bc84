"""Pass the body of a response on to the web server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_remote_server.http.connection import Connection


def send_body(body: Iterable[bytes], connection: Connection) -> Iterable[bytes]:
    """Return the body of a response for the web server.

    If the body raises ``ConnectionResetError``, the response breaks off: its last chunk is not sent, so the
    client can tell that it is incomplete (RFC 9112, 8).

    :param body: the body, as a WSGI application returns it
    :param connection: the connection of the request
    """
    return ClosingIterator(_pass_on(body, connection), [getattr(body, "close", _do_nothing)])


def _pass_on(body: Iterable[bytes], connection: Connection) -> Iterator[bytes]:
    try:
        yield from body
    except ConnectionResetError as error:
        yield connection.break_off(error)


def _do_nothing() -> None:
    """Close nothing."""
