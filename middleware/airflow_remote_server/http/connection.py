"""The connection of a request, as far as the web server shows it to the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.http.gunicorn_connection import GunicornConnection

if TYPE_CHECKING:
    from typing import Protocol

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    class Connection(Protocol):
        """The connection of a request."""

        @property
        def processes(self) -> int | None:
            """Return the number of the web server's processes; None if it is unknown."""

        @property
        def threads(self) -> int | None:
            """Return how many requests one process serves at once; None if it is unknown."""

        def is_gone(self) -> bool:
            """Return whether the client has closed the connection, and waits for no response."""

        def can_write(self, seconds: float) -> bool:
            """Wait until the client has read so much that more can be sent.

            :param seconds: the maximum time to wait
            :returns: False if the time is over
            """

        def break_off(self, error: ConnectionResetError) -> bytes:
            """Break the response off in place of the rest of its body.

            :param error: why
            :returns: what the web server gets in its place
            :raises ConnectionResetError: if the web server breaks the response off because of it
            """


CONNECTION = "airflow_remote.connection"
"""The key of the connection in the WSGI environ."""

BODY = "airflow_remote.body"
"""The key, in the scope of an ASGI server, of a body that was read before the request got a thread."""


class UnknownConnection:
    """The connection of a request to a web server that shows nothing of it."""

    processes: int | None = None
    threads: int | None = None

    def is_gone(self) -> bool:
        """Return False: nobody can tell."""
        return False

    def can_write(self, _: float) -> bool:
        """Return True: the web server waits for the client."""
        return True

    def break_off(self, error: ConnectionResetError) -> bytes:
        """Raise the error, which no web server takes for the end of a response."""
        raise error


def is_sync(connection: Connection) -> bool:
    """Return whether one of several processes serves this request, and no other one meanwhile.

    :param connection: the connection of the request
    """
    return connection.threads == 1 and connection.processes is not None


def find_connection(environ: WSGIEnvironment, start_response: StartResponse) -> Connection:
    """Return the connection of a request.

    :param environ: the WSGI environ; an ASGI entry has added the connection
    :param start_response: the web server's
    """
    connection: Connection | None = environ.get(CONNECTION)
    if connection is not None:
        return connection
    gunicorns: Any = environ.get("gunicorn.socket")
    if gunicorns is None:
        return UnknownConnection()
    return GunicornConnection(gunicorns, start_response)
