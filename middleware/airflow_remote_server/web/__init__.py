"""The page: every endpoint with a form, jobs, and their output. All that it needs comes from this folder.

The page itself is public, so it holds nothing but the classic endpoints, which are in the README; its script
asks for everything else with the visitor's token. It is the same for everybody: all its addresses are
relative, so it is right under any path and behind any proxy.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.wrappers import Response

from airflow_remote_server.errors import NotFound
from airflow_remote_server.web.classic import described, sections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request

    from airflow_remote_server.catalogue.spec import Endpoint

FOLDER = Path(__file__).parent
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
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
"""Nothing but this folder's files runs, and no text becomes markup: the browser itself refuses innerHTML."""

FIRST = ("main.js", "dom.js", "api.js")
"""What the first view needs; the rest is loaded with the first command that is opened."""

FOREVER = "public, max-age=31536000, immutable"
ASK = "no-cache"


class Page:
    """The page for a table of endpoints.

    :param endpoints: by name
    :param airflow: major version of the installed Airflow
    :param open: whether no token is configured; else the page does not ask for anything before it has one
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], airflow: int, open: bool = False) -> None:
        self.files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in TYPES}
        self.version = _digest(b"\0".join(name.encode() + self.files[name] for name in sorted(self.files)))
        templates = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        templates.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
        listed = endpoints.values()
        text = templates.get_template("page.html").render(
            static=f"static/{self.version}",
            modules=FIRST,
            sections=sections(listed),
            known={
                "airflow": airflow,
                "open": open,
                "endpoints": [described(endpoint) for endpoint in listed],
            },
        )
        self.text = text.encode()

    def html(self, request: Request) -> Response:
        """The page.

        :param request: may say that it has it already
        """
        response = _kept(self.text, "text/html; charset=utf-8", ASK)
        response.headers["Content-Security-Policy"] = POLICY
        return response.make_conditional(request)

    def static(self, request: Request, name: str, version: str = "") -> Response:
        """A file that the page needs.

        :param request: may say that it has it already
        :param name: of the file
        :param version: of all files together, as the page says it; what comes with it is kept for good
        :raises NotFound: for what is no such file
        """
        if name not in self.files:
            raise NotFound(f"no such file: {name[:80]!r}")
        # Another version's address is that of another server's page, while servers are being replaced.
        kept = FOREVER if version == self.version else ASK
        return _kept(self.files[name], TYPES[Path(name).suffix], kept).make_conditional(request)


def _kept(body: bytes, kind: str, how: str) -> Response:
    response = Response(body, content_type=kind)
    response.set_etag(_digest(body))
    response.headers["Cache-Control"] = how
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
