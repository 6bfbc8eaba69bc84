"""The page: what can be called, and how. Server-rendered, with everything it needs from this folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.wrappers import Response

from airflow_remote_server.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request

    from airflow_remote_server.catalogue.spec import Endpoint

FOLDER = Path(__file__).parent
STATIC = {"style.css": "text/css; charset=utf-8"}
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"


class Page:
    """The page for a table of endpoints.

    :param endpoints: by name
    """

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self.endpoints = sorted(endpoints.values(), key=lambda endpoint: endpoint.name)
        self.templates = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )

    def html(self, request: Request) -> Response:
        """Render the page.

        :param request: its root is where links and examples point
        """
        text = self.templates.get_template("page.html").render(
            endpoints=self.endpoints, root=request.script_root, url=request.root_url.rstrip("/")
        )
        response = Response(text, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @staticmethod
    def static(name: str) -> Response:
        """A file that the page needs.

        :param name: one of ``STATIC``
        :raises NotFound: for any other
        """
        if name not in STATIC:
            raise NotFound(f"no such file: {name[:80]!r}")
        response = Response((FOLDER / name).read_bytes(), content_type=STATIC[name])
        response.headers["Cache-Control"] = "public, max-age=3600"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
