"""The ASGI form of the middleware, for the API server of Airflow 3: the same WSGI API, through a2wsgi."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_remote_server.middleware import PREFIX, LazyApi

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from airflow_remote_server.settings import Settings

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

THREADS = 32
"""Requests of the API at once in one server process; each waits for a command most of its time."""


class RestApiAsgiMiddleware:
    """Serve the Airflow command line below ``/admin/rest_api``; leave every other request alone.

    :param app: the ASGI application to wrap
    :param settings: a configuration; by default it is read from Airflow's at the first request
    """

    def __init__(self, app: AsgiApp, settings: Settings | None = None) -> None:
        self.app = app
        self.api = LazyApi(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and PREFIX in scope["path"] and self.api.serves(*border(scope)):
            await self.bridge(digestible(scope), self.whole(receive), send)
            return
        if scope["type"] == "lifespan":
            self.api.prepare()  # the server starts
        await self.app(scope, receive, send)

    def whole(self, receive: Receive) -> Receive:
        """A body that is there whole, or whose reading fails.

        a2wsgi takes the end of a connection for the end of the body; half of one might be another command.
        """
        deadline = 0.0

        async def next_part() -> MutableMapping[str, Any]:
            nonlocal deadline
            loop = asyncio.get_running_loop()
            deadline = deadline or loop.time() + self.api.get().body_timeout
            message = await asyncio.wait_for(receive(), max(0.0, deadline - loop.time()))
            if message["type"] != "http.request":
                raise ConnectionError("the connection ended before the body did")
            return message

        return next_part

    @cached_property
    def bridge(self) -> AsgiApp:
        """The API as an ASGI application."""
        from a2wsgi import WSGIMiddleware

        return WSGIMiddleware(self.wsgi, workers=THREADS)  # type: ignore[arg-type,return-value]

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The API, with what a2wsgi leaves out or gets wrong in the environ.

        :param environ: its ``asgi.scope`` is the request
        :param start_response: as PEP 3333 has it
        """
        script_name, path_info = border(environ["asgi.scope"])
        environ["SCRIPT_NAME"] = script_name.encode().decode("latin-1")  # not the process's variable
        environ["PATH_INFO"] = path_info.encode().decode("latin-1")
        environ["wsgi.input_terminated"] = True  # a chunked body has no length, and ends
        return self.api.get()(environ, start_response)


def border(scope: Scope) -> tuple[str, str]:
    """SCRIPT_NAME and PATH_INFO of a request. ASGI's path includes root_path, but not every server's."""
    root: str = scope.get("root_path", "")
    return root, scope["path"].removeprefix(root)


def digestible(scope: Scope) -> Scope:
    """A request as a2wsgi can take it.

    It takes the query for ASCII, which a client need not care about, and joins headers of one name: Airflow's
    middleware for "everybody is admin" adds an Authorization of its own, behind the client's.
    """
    headers, seen = [], False
    for name, value in scope["headers"]:
        if name != b"authorization" or not seen:
            headers.append((name, value))
        seen = seen or name == b"authorization"
    return {**scope, "headers": headers, "query_string": _ascii(scope["query_string"])}


def _ascii(query: bytes) -> bytes:
    return query if query.isascii() else quote(query, safe="%&=+;/?:@!$'()*,-._~[]").encode()
