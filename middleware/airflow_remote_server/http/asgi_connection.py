"""The connection of a request that an ASGI server serves."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.asgi_transport import find_transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SETTLE_SECONDS = 0.1
"""How long other middlewares may need to pass on what has been sent."""

CLOSE_SECONDS = 10.0
"""How long a client may take to read what has been sent, before the connection is reset."""

POLL_SECONDS = 0.02


class _BreakOff(bytes):
    """A part of a body in whose place the connection is closed."""


BREAK_OFF = _BreakOff()


class AsgiConnection:
    """The connection of a request. It is created in the event loop, and used in a thread.

    :param receive: the request's ``receive``
    :param send: the request's ``send``
    :param threads: how many requests the process serves at once
    :param send_timeout: returns how long a client may read nothing, in seconds
    """

    processes: int | None = None  # each has threads of its own

    def __init__(self, receive: Receive, send: Send, threads: int, send_timeout: Callable[[], float]) -> None:
        self.threads: int | None = threads
        self._receive = receive
        self._send = send
        self._send_timeout = send_timeout
        self._loop = asyncio.get_running_loop()
        self._gone = threading.Event()
        self._broken_off = False
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

    def can_write(self, _: float) -> bool:
        """Return True: ``send`` has the timeout."""
        return True

    def break_off(self, _: ConnectionResetError) -> bytes:
        """Return the part of a body in whose place ``send`` closes the connection."""
        return BREAK_OFF

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a message, unless the response has been broken off.

        :param message: an ASGI message
        :raises ConnectionResetError: if the response is to be broken off, and the transport is unknown
        """
        if self._broken_off:
            return
        if message.get("body") is BREAK_OFF:
            self._broken_off = True
            await self._close()
            return
        timer = self._loop.call_later(self._send_timeout(), self._reset)
        try:
            await self._send(message)
        finally:
            timer.cancel()

    def close(self) -> None:
        """Stop watching; called in the event loop when the request has ended."""
        self._asked = True
        if self._watcher is not None:
            self._watcher.cancel()

    def _reset(self) -> None:
        """Reset the connection of a client that reads nothing; the server then ignores what is sent."""
        transport = find_transport(self._send, self._receive)
        if transport is not None:
            self._broken_off = True
            self._gone.set()
            transport.abort()

    async def _close(self) -> None:
        """Close the connection, and wait until the server knows: it ignores the rest of the response then."""
        transport = find_transport(self._send, self._receive)
        if transport is None:
            raise ConnectionResetError("the server of this response does not show its connection")
        self._start_watching()
        await asyncio.sleep(SETTLE_SECONDS)
        for end in (transport.close, transport.abort):
            end()
            deadline = self._loop.time() + CLOSE_SECONDS
            while not self._gone.is_set() and self._loop.time() < deadline:
                await asyncio.sleep(POLL_SECONDS)

    def _start_watching(self) -> None:
        if self._watcher is None:
            self._watcher = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        # A middleware may refuse to receive after the body. Then nobody can tell.
        with suppress(Exception):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._gone.set()
