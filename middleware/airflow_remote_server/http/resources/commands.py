"""The routes that run commands: classic endpoints, the legacy ``/api?api=NAME``, and live commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from airflow_remote_server.errors import ApiError, BadArguments, MethodNotAllowed
from airflow_remote_server.http import arguments
from airflow_remote_server.http.batch_planning import NAME as BATCH
from airflow_remote_server.http.responses import json_response, revalidated

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.catalog.spec import Endpoint, RequestArguments
    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.http.dispatch import CommandDispatcher
    from airflow_remote_server.http.planning import Planner
    from airflow_remote_server.http.responses import Reply, RequestContext

CATALOG_HEADER = "Airflow-Remote-Catalog"
"""The catalog's ETag, for clients that cache the catalog."""


class CommandRoutes:
    """Serve the routes that run commands.

    :param planner: knows the endpoints
    :param dispatcher: runs their commands
    :param settings: limits
    """

    def __init__(self, planner: Planner, dispatcher: CommandDispatcher, settings: Settings) -> None:
        self.planner = planner
        self.dispatcher = dispatcher
        self.settings = settings

    @property
    def handlers(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by the endpoint of their routes."""
        return {
            "commands": self.show_catalog,
            "command": self.run_command,
            "classic": self.run_classic,
            "legacy": self.run_legacy,
        }

    def show_catalog(self, context: RequestContext) -> Response:
        """Serve ``GET /api/v1.0/commands``."""
        catalog = self.planner.live.for_permissions(context.principal.permissions)
        response = Response(catalog.text, content_type="application/json")
        return revalidated(response, catalog.etag, context.request)

    def run_command(self, context: RequestContext, words: str) -> Response:
        """Serve ``GET|POST /api/v1.0/commands/GROUP/COMMAND``.

        :raises ApiError: if the command cannot be run; its headers name the catalog as well
        """
        catalog = self.planner.live.for_permissions(context.principal.permissions)
        headers = {CATALOG_HEADER: f'"{catalog.etag}"'}
        try:
            endpoint = catalog.find(words.replace("/", " "))
            if not endpoint.read_only and context.request.method != "POST":
                raise MethodNotAllowed(
                    f"`{endpoint.name}` modifies data; use POST", {"Allow": "OPTIONS, POST"}
                )
            response = self._run(context, endpoint)
        except ApiError as error:
            error.headers.update(headers)
            raise
        response.headers.update(headers)
        return response

    def run_classic(self, context: RequestContext, name: str) -> Response:
        """Serve ``GET|POST /api/v1.0/NAME``.

        :raises NotFound: if there is no such endpoint
        :raises MethodNotAllowed: for the path of batches, which has a route of its own for POST
        """
        if name == BATCH:
            method = context.request.method
            raise MethodNotAllowed(f"method {method} is not allowed; use POST", {"Allow": "OPTIONS, POST"})
        return self._run(context, self.planner.find(name))

    def run_legacy(self, context: RequestContext) -> Response:
        """Serve ``GET|POST /api?api=NAME``: respond in the format of the 1.0.x plugin.

        :raises BadArguments: unless exactly one endpoint is named
        :raises NotFound: if there is no such endpoint
        """
        query, body = self._read_arguments(context)
        names = [*query.pop("api", []), *body.pop("api", [])]
        if len(names) != 1:
            raise BadArguments("name exactly one endpoint, as api=NAME")
        endpoint = self.planner.find(str(names[0]))
        if context.request.method == "HEAD":
            return json_response({}, 200)
        return self.dispatcher.run(
            context,
            endpoint,
            arguments.merge(query, body),
            ignore_unknown=True,
            reshape=lambda reply: reshape_legacy(reply, body),
        )

    def _run(self, context: RequestContext, endpoint: Endpoint) -> Response:
        if context.request.method == "HEAD":
            return json_response({}, 200)  # HEAD is safe (RFC 9110), so it must not run a command
        context.notes.name = endpoint.name
        query, body = self._read_arguments(context)
        return self.dispatcher.run(context, endpoint, arguments.merge(query, body))

    def _read_arguments(self, context: RequestContext) -> tuple[RequestArguments, RequestArguments]:
        return arguments.read(context.request, self.settings.max_body_bytes, self.settings.body_timeout)


def reshape_legacy(reply: Reply, body: RequestArguments) -> Reply:
    """Change a reply to the format of the 1.0.x plugin: split the output, and the arguments by their source.

    :param reply: the reply, which is changed
    :param body: the arguments of the request's body
    """
    fields = reply.fields
    visible = fields.get("arguments", {})
    fields["arguments"] = {name: value for name, value in visible.items() if name not in body}
    fields["post_arguments"] = {name: value for name, value in visible.items() if name in body}
    output = reply.error.message if reply.error else fields.get("output", "")
    fields["output"] = {
        "stdout": fields.get("stdout", output),
        "stderr": fields.get("stderr", ""),
        "stdin": "",
    }
    return reply
