"""Call a WSGI application from an ASGI server: a2wsgi, with fewer switches between threads.

In a2wsgi, the thread of a request waits for the event loop whenever it reads a part of the body or sends a
part of the response. That took a third of the time of a short command. Here, a short body is read before the
thread starts, and a response that is complete is sent in one step, for which nobody waits.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from a2wsgi.wsgi import WSGIMiddleware, WSGIResponder

from airflow_remote_server.http.connection import BODY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

MOST_BYTES = 1 << 16
"""The maximum size of such a body: anyone may send one, before the request is authenticated."""

MOST_DIGITS = len(str(MOST_BYTES))


class Bridge(WSGIMiddleware):
    """Call a WSGI application in one of its threads.

    The arguments are those of ``a2wsgi.WSGIMiddleware``.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope, receive = await read_short_body(scope, receive)
        await Responder(self.app, self.executor, self.send_queue_size)(scope, receive, send)


class Responder(WSGIResponder):
    """Send a response that is complete without waiting for the event loop.

    The arguments are those of a2wsgi's class.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._start: Any = None
        self._complete = False

    def send(self, message: Any) -> None:
        """Send a message of a response. Called in the thread of the request.

        :param message: an ASGI message
        """
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if self._complete:
            return  # this message has no content
        if start is None:
            super().send(message)
        elif is_complete(start, message):
            self._complete = True
            self.loop.call_soon_threadsafe(self._put, start, {**message, "more_body": False})
        else:
            super().send(start)
            super().send(message)

    def _put(self, *messages: Any) -> None:
        for message in messages:  # the queue is empty, since these are the first ones
            self.send_queue.put_nowait(message)


def is_complete(start: Message, body: Message) -> bool:
    """Return whether a response ends with the first part of its body.

    :param start: its first message
    :param body: its second message
    """
    if not body.get("more_body"):
        return True
    return (b"content-length", b"%d" % len(body["body"])) in start["headers"]


async def read_short_body(scope: Message, receive: Receive) -> tuple[Message, Receive]:
    """Read the body of a request if it is short, so that no thread waits for it.

    :param scope: the scope of the request
    :param receive: its ``receive``, with a time limit
    :returns: the scope, with the body if it was read; a ``receive`` for the rest, which fails as this did
    """
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    # A client that expects 100 Continue waits until its request has been accepted.
    is_number = length.isdigit() and len(length) <= MOST_DIGITS  # int() rejects very long numbers
    if not is_number or not 0 < int(length) <= MOST_BYTES or b"expect" in headers:
        return scope, receive
    body, more = bytearray(), True
    try:
        while more and len(body) < int(length):
            message = await receive()
            more = message.get("more_body", False)
            body += message.get("body", b"")
    except Exception as error:  # noqa: BLE001 - whoever reads the body reports it
        return scope, _failing(error)
    return {**scope, BODY: io.BytesIO(body)}, receive


def _failing(error: Exception) -> Receive:
    async def fail() -> Message:
        raise error

    return fail
