"""The connection of a request that an ASGI server serves."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class AsgiConnection:
    """The connection of a request. It is created in the event loop, and asked in a thread.

    :param receive: the request's ``receive``
    :param threads: how many requests the process serves at once
    """

    processes: int | None = None  # each has threads of its own

    def __init__(self, receive: Receive, threads: int) -> None:
        self.threads: int | None = threads
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._gone = threading.Event()
        self._asked = False
        self._watcher: asyncio.Task[None] | None = None

    def is_gone(self) -> bool:
        """Return whether the client has closed the connection.

        Ask only when the body has been read: whatever arrives after the first call is dropped.
        """
        if not self._asked:
            self._asked = True
            self._loop.call_soon_threadsafe(self._start_watching)
        return self._gone.is_set()

    def close(self) -> None:
        """Stop watching; called in the event loop when the request has ended."""
        self._asked = True
        if self._watcher is not None:
            self._watcher.cancel()

    def _start_watching(self) -> None:
        if self._watcher is None:
            self._watcher = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        # A middleware may refuse to receive after the body. Then nobody can tell.
        with suppress(Exception):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._gone.set()
