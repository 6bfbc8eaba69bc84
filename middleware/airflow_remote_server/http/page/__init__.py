"""Serve the web page: a form for each endpoint, jobs, and their output. Its files are in this directory.

The page needs no token, so it holds only the classic endpoints, which are documented publicly. Its script
requests everything else with the visitor's token. The page is the same for every visitor, and all its URLs
are relative, so it works below any path and behind any proxy.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.wrappers import Response

from airflow_remote_server.catalog.sections import group_by_section
from airflow_remote_server.errors import NotFound
from airflow_remote_server.http.page.classic_forms import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request

    from airflow_remote_server.catalog.spec import Endpoint

FOLDER = Path(__file__).parent
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Only scripts of this directory run, and no text becomes markup: the browser itself rejects innerHTML."""

PRELOADED = ("main.js", "dom.js", "api.js", "home.js", "sidebar.js")
"""The modules of the first view; the others load with the first command that is opened."""

COMMENT_LINES = re.compile(rb"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)\n", re.DOTALL | re.MULTILINE)
"""Comments on separate lines, a third of the modules' bytes. ESLint keeps such lines out of templates."""

CACHE_FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


class Page:
    """The page and its files.

    :param endpoints: the classic endpoints by name
    :param airflow: major version of the installed Airflow
    :param open: whether no token is configured; otherwise the page requests nothing before it has a token
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], airflow: int, open: bool = False) -> None:
        self.files = {path.name: _read(path) for path in FOLDER.iterdir() if path.suffix in TYPES}
        self.version = _digest(b"\0".join(name.encode() + self.files[name] for name in sorted(self.files)))
        templates = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        templates.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
        listed = endpoints.values()
        text = templates.get_template("page.html").render(
            static=f"static/{self.version}",
            modules=PRELOADED,
            sections=group_by_section(listed),
            known={
                "airflow": airflow,
                "open": open,
                "endpoints": [describe(endpoint) for endpoint in listed],
            },
        )
        self.text = text.encode()

    def html(self, request: Request) -> Response:
        """Return the page.

        :param request: may name the ETag of a cached copy
        """
        response = _cached(self.text, "text/html; charset=utf-8", REVALIDATE)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response.make_conditional(request)

    def static(self, request: Request, name: str, version: str = "") -> Response:
        """Return a file of the page.

        :param request: may name the ETag of a cached copy
        :param name: the name of the file
        :param version: the version of all files together; clients may cache the current one forever
        :raises NotFound: if there is no such file
        """
        if name not in self.files:
            raise NotFound(f"no such file: {name[:80]!r}")
        # While servers are being upgraded, a page of one version may request its files from another.
        cache_control = CACHE_FOREVER if version == self.version else REVALIDATE
        response = _cached(self.files[name], TYPES[Path(name).suffix], cache_control)
        return response.make_conditional(request)


def _read(path: Path) -> bytes:
    """Return the content of a file as the browser gets it: modules without comments."""
    content = path.read_bytes()
    return COMMENT_LINES.sub(b"", content) if path.suffix == ".js" else content


def _cached(body: bytes, content_type: str, cache_control: str) -> Response:
    response = Response(body, content_type=content_type)
    response.set_etag(_digest(body))
    response.headers["Cache-Control"] = cache_control
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
