"""The routes about the server itself: the index, the page and its files, health, and the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from airflow_remote_server._version import __version__
from airflow_remote_server.http.openapi import OpenApi
from airflow_remote_server.http.page import Page
from airflow_remote_server.http.responses import json_response, revalidated
from airflow_remote_server.http.routes import ROUTES
from airflow_remote_server.jobs.nodes.output_health import OutputHealth
from airflow_remote_server.util.drain import DRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.auth.authenticator import Authenticator
    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.http.planning import Planner
    from airflow_remote_server.http.responses import RequestContext


DOCS = "https://airflow-remote.readthedocs.io"
"""The documentation of this project."""


class ServerRoutes:
    """Serve the routes about the server itself.

    :param planner: knows the endpoints
    :param authenticator: knows whether tokens can be checked
    :param settings: the configuration
    """

    def __init__(self, planner: Planner, authenticator: Authenticator, settings: Settings) -> None:
        self.planner = planner
        self.authenticator = authenticator
        self.output = OutputHealth(settings)
        self.airflow_release = settings.airflow_release
        self.page = Page(planner.endpoints, settings.airflow_major, authenticator.open)
        self.openapi = OpenApi(planner.endpoints, anonymous=authenticator.open)

    @property
    def handlers(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by the endpoint of their routes."""
        return {
            "page": self.show_page,
            "index": self.show_index,
            "static": self.send_static,
            "health": self.show_health,
            "openapi": self.show_openapi,
        }

    def show_page(self, context: RequestContext) -> Response:
        """Serve ``GET /``."""
        return self.page.html(context.request)

    def show_index(self, context: RequestContext) -> Response:
        """Serve ``GET /api/v1.0``: the paths of the other routes, as this client reaches them."""
        links = {
            rule.endpoint: f"{context.root}{rule.rule}"
            for rule in ROUTES
            if "<" not in rule.rule and rule.endpoint != "index"
        }
        release = ".".join(map(str, self.airflow_release))
        return json_response({"version": __version__, "airflow": release, "links": links, "docs": DOCS}, 200)

    def send_static(self, context: RequestContext, name: str, version: str = "") -> Response:
        """Serve ``GET /static/NAME`` and ``GET /static/VERSION/NAME``.

        :raises NotFound: if there is no such file
        """
        return self.page.static(context.request, name, version)

    def show_health(self, context: RequestContext) -> Response:
        """Serve ``GET /api/v1.0/health``: whether the API works, and whether it takes commands."""
        problem = self.authenticator.problem
        if problem:
            return json_response({"status": "unhealthy", "ready": False, "reason": problem}, 503)
        if DRAIN.active:
            stopping = "the webserver is stopping and takes no new commands"
            return json_response({"status": "healthy", "ready": False, "reason": stopping}, 503)
        warning = self.output.public_warning()
        more = {"warning": warning} if warning else {}
        return json_response({"status": "healthy", "ready": True, **more}, 200)

    def show_openapi(self, context: RequestContext) -> Response:
        """Serve ``GET /api/v1.0/openapi.json``.

        :raises Unavailable: if the commands cannot be read
        """
        catalog = self.planner.live.for_permissions(context.principal.permissions)
        text, etag = self.openapi.render(catalog, context.root)
        return revalidated(Response(text, content_type="application/json"), etag, context.request)
