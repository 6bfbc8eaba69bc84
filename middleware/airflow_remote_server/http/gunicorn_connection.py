"""The connection of a request that gunicorn serves."""

from __future__ import annotations

import _socket
import selectors
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

TCP_ESTABLISHED = 1
"""The state of a TCP connection that neither side has closed (``include/net/tcp_states.h`` in Linux)."""

GREENLET_WORKERS, THREAD_WORKERS = ("gevent", "eventlet"), ("sync", "thread")
"""Parts of the names of gunicorn's worker classes."""


class GunicornConnection:
    """The connection of a request that gunicorn serves.

    :param connection: gunicorn's socket, from ``gunicorn.socket`` in the WSGI environ
    :param start_response: gunicorn's, a method of its response, which has gunicorn's configuration
    """

    def __init__(self, connection: socket.socket, start_response: StartResponse) -> None:
        self._connection = connection
        self._config: Any = getattr(getattr(start_response, "__self__", None), "cfg", None)

    @property
    def processes(self) -> int | None:
        """Return the number of workers; None if another middleware hides gunicorn's configuration."""
        return getattr(self._config, "workers", None)

    @property
    def threads(self) -> int | None:
        """Return how many requests a worker serves at once; None if that is unknown."""
        kind = str(getattr(self._config, "worker_class_str", "")).lower()
        if any(name in kind for name in GREENLET_WORKERS):
            return getattr(self._config, "worker_connections", None)
        # gunicorn takes "sync" with several threads as "gthread".
        known = any(name in kind for name in THREAD_WORKERS)
        return getattr(self._config, "threads", None) if known else None

    def is_gone(self) -> bool:
        """Return whether the client has closed the connection, or at least its sending side.

        HTTP clients close both together, and other servers make no difference either.
        """
        try:
            state = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except (OSError, AttributeError):  # a Unix socket, or a system without this option
            return has_ended(self._connection)
        # The state is the first byte of struct tcp_info. It changes even while nobody reads what has arrived.
        return state[0] != TCP_ESTABLISHED

    def can_write(self, seconds: float) -> bool:
        """Wait until the client has read so much that more can be sent; return False if it does not.

        :param seconds: the maximum time to wait
        """
        if self._connection.fileno() < 0:
            return False
        # If less fits than is sent next, gunicorn waits for the rest.
        self._connection.settimeout(seconds)
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_WRITE)
            return bool(selector.select(seconds))

    def break_off(self, error: ConnectionResetError) -> bytes:
        """Raise the error. gunicorn closes the connection, and logs nothing about one that was reset."""
        raise error


def has_ended(connection: socket.socket) -> bool:
    """Return whether nothing more can be read from a connection.

    :param connection: any connected socket; it is neither blocked nor read
    """
    if connection.fileno() < 0:
        return True
    # gevent's own method would wait, and TLS allows no flags.
    raw = _socket.socket(fileno=connection.fileno())
    try:
        return not raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        with suppress(OSError):
            raw.detach()
