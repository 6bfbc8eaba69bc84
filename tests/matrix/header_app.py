"""A minimal WSGI application that returns its environ; HEADER_APP_WAY=plugin applies the plugin's patch."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from airflow_remote_server.integrations.gunicorn_header import hint, let_token_through

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

if os.environ.get("HEADER_APP_WAY") == "plugin":
    let_token_through()


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Return the request's headers, its path, and the hint for a client whose token did not arrive."""
    shown = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    shown.update({name: environ[name] for name in ("SCRIPT_NAME", "PATH_INFO", "wsgi.url_scheme")})
    body = json.dumps({**shown, "hint": hint(environ)}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
