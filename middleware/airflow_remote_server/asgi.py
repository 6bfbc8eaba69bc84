"""The ASGI form of the middleware, for the API server of Airflow 3: the same WSGI API, through a2wsgi."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_remote_server.middleware import PREFIX, split_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from airflow_remote_server.api import Api
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
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and PREFIX in scope["path"] and self.serves(scope):
            # a2wsgi takes the query for ASCII, which a client need not care about.
            await self.bridge({**scope, "query_string": _ascii(scope["query_string"])}, receive, send)
        else:
            await self.app(scope, receive, send)

    def serves(self, scope: Scope) -> bool:
        """Tell whether a request is the API's.

        :param scope: the ASGI scope, which is not changed
        """
        root = scope.get("root_path", "")
        path = scope["path"]
        # ASGI's path includes root_path; servers and proxies that strip it have existed.
        return split_path(root, path.removeprefix(root), self.api.base_path) is not None

    @cached_property
    def api(self) -> Api:
        """The application behind the prefix, made at the first request for it."""
        from airflow_remote_server.api import Api

        return Api(self._settings)

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
        scope = environ["asgi.scope"]
        root = scope.get("root_path", "")
        environ["SCRIPT_NAME"] = root.encode().decode("latin-1")  # not the process's variable of that name
        environ["PATH_INFO"] = scope["path"].removeprefix(root).encode().decode("latin-1")
        environ["wsgi.input_terminated"] = True  # a chunked body has no length, and ends
        return self.api(environ, start_response)


def _ascii(query: bytes) -> bytes:
    return query if query.isascii() else quote(query, safe="%&=+;/?:@!$'()*,-._~[]").encode()
