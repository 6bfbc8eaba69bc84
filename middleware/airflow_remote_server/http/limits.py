"""Limit the use of a web worker by a single client, so that others are still served."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_remote_server.errors import Busy, HeadersTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIEnvironment


MAX_HEADER_BYTES = 64 * 1024
"""The maximum size of all headers together, in bytes. gunicorn and uvicorn have similar limits."""

RETRY_AFTER = "1"


class RequestSlots:
    """Limit how many requests of one token a web worker serves at once.

    :param limit: the maximum number of concurrent requests of one token
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    def take(self, name: str) -> Callable[[], None]:
        """Take a slot.

        :param name: the name of the principal
        :returns: a function that releases the slot; calling it again does nothing
        :raises Busy: if no slot is free
        """
        with self._lock:
            taken = self._taken.get(name, 0)
            if taken >= self.limit:
                raise Busy(
                    f"{taken} requests of this token are being served ([rest_api_plugin] max_requests): "
                    "try again",
                    {"Retry-After": RETRY_AFTER},
                )
            self._taken[name] = taken + 1
        released = False

        def release() -> None:
            nonlocal released
            with self._lock:
                if not released:
                    released = True
                    self._taken[name] -= 1
                    if not self._taken[name]:
                        del self._taken[name]

        return release


def check_headers(environ: WSGIEnvironment) -> None:
    """Check the total size of a request's headers.

    :param environ: the WSGI environ of the request
    :raises HeadersTooLarge: if the headers exceed the limit
    """
    size = sum(len(name) + len(value) for name, value in environ.items() if name.startswith("HTTP_"))
    if size > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"the headers are over {MAX_HEADER_BYTES} bytes")
