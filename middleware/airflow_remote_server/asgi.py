"""The ASGI middleware, for the API server of Airflow 3: the same WSGI API, through a2wsgi."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
from anyio import to_thread

from airflow_remote_server.http.asgi_connection import AsgiConnection
from airflow_remote_server.http.connection import BODY, CONNECTION
from airflow_remote_server.http.routing import MARK, normalize_path
from airflow_remote_server.integrations.added_headers import without_added_authorization
from airflow_remote_server.middleware import LazyApi, hold_sigterm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.missing_extra import MissingExtra

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

THREADS = 32
"""Concurrent API requests of one server process; most of the time, each waits for a command."""


class RestApiAsgiMiddleware:
    """Serve the Airflow command line below ``/admin/rest_api``; pass every other request on.

    :param app: the ASGI application to wrap
    :param settings: the configuration; None to read Airflow's at the first request
    """

    def __init__(self, app: AsgiApp, settings: Settings | None = None) -> None:
        self.app = app
        self.settings = settings
        self.api = LazyApi(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and MARK in scope["path"] and self.api.serves(*split_scope(scope)):
            if not self.api.exists:  # the server has not announced its start
                await to_thread.run_sync(self.api.get)
            connection = AsgiConnection(receive, send, THREADS, lambda: self.api.get().send_timeout)
            scope = {**normalize_scope(scope), CONNECTION: connection}
            try:
                await self.wsgi_bridge(scope, self.limit_body(receive), connection.send)
            finally:
                connection.close()
            return
        if scope["type"] == "lifespan":
            self.api.prepare()  # the server is starting
            self.api.watch()
            hold_sigterm(self.settings)
        await self.app(scope, receive, send)

    def limit_body(self, receive: Receive) -> Receive:
        """Make reading a body fail if the body is truncated or takes too long to arrive.

        a2wsgi mistakes the end of a connection for the end of the body, and a truncated body might be another
        command.

        :param receive: the request's ``receive``
        """
        deadline = 0.0

        async def next_part() -> MutableMapping[str, Any]:
            nonlocal deadline
            deadline = deadline or anyio.current_time() + self.api.get().body_timeout
            # Unlike asyncio.wait_for, this needs no further task.
            with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
                message = await receive()
            if message["type"] != "http.request":
                raise ConnectionError("the connection ended before the body did")
            return message

        return next_part

    @cached_property
    def wsgi_bridge(self) -> AsgiApp:
        """Return the API as an ASGI application."""
        try:
            from a2wsgi import WSGIMiddleware
        except ImportError as error:
            from airflow_remote_server.missing_extra import MissingExtra

            return missing_extra_app(MissingExtra(error))
        bridge: Callable[..., Any] = WSGIMiddleware
        with suppress(ImportError):  # if a2wsgi has changed, it is used as it is, which is slower
            from airflow_remote_server.http.asgi_bridge import Bridge

            bridge = Bridge
        app: AsgiApp = bridge(self.wsgi, workers=THREADS)
        return app

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the API after correcting what a2wsgi omits from the environ or gets wrong.

        :param environ: the WSGI environ; its ``asgi.scope`` is the request
        :param start_response: as in PEP 3333
        """
        script_name, path_info = split_scope(environ["asgi.scope"])
        # a2wsgi takes SCRIPT_NAME from the process's environment.
        environ["SCRIPT_NAME"] = script_name.encode().decode("latin-1")
        environ["PATH_INFO"] = path_info.encode().decode("latin-1")
        environ["wsgi.input"] = environ["asgi.scope"].get(BODY, environ["wsgi.input"])
        environ["wsgi.input_terminated"] = True  # a chunked body has no length, but it ends
        environ[CONNECTION] = environ["asgi.scope"][CONNECTION]
        return self.api.get()(environ, start_response)


def missing_extra_app(missing: MissingExtra) -> AsgiApp:
    """Return an ASGI application that responds to every request with 503.

    :param missing: makes the response
    """

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        body, headers = missing.response()
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": 503, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


def split_scope(scope: Scope) -> tuple[str, str]:
    """Return the SCRIPT_NAME and PATH_INFO of a request.

    By the ASGI specification the path includes root_path, but some servers leave it out.

    :param scope: the scope of the request
    """
    root, path = scope.get("root_path", ""), scope["path"]
    if not path.startswith(root) and normalize_path(path).startswith(f"{root}/"):
        # Another spelling of root_path. With a slash too many, the path stays one to redirect.
        return root, "/" + normalize_path(path).removeprefix(root)
    return root, path.removeprefix(root)


def normalize_scope(scope: Scope) -> Scope:
    """Return a scope that a2wsgi handles correctly.

    a2wsgi expects an ASCII query, and joins headers of one name. Only the client's headers count.

    :param scope: the scope of the request
    """
    headers = without_added_authorization(scope, RestApiAsgiMiddleware)
    return {**scope, "headers": headers, "query_string": _ascii(scope["query_string"])}


def _ascii(query: bytes) -> bytes:
    return query if query.isascii() else quote(query, safe="%&=+;/?:@!$'()*,-._~[]").encode()
