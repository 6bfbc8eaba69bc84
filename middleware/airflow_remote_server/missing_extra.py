"""The application for a missing ``server`` extra: Airflow keeps working, and the API says what to install.

This module imports only the standard library.
"""

from __future__ import annotations

import json
import logging
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

DISTRIBUTIONS = frozenset({"a2wsgi", "jinja2", "markupsafe", "tomli", "werkzeug"})
"""The packages of the extra and their dependencies."""

EXTRA = "pip install 'airflow-remote[server]'"


def is_of_extra(error: ImportError) -> bool:
    """Return whether an import failed because of a package of the extra, not one of Airflow's or ours.

    :param error: raised by the import
    """
    return (error.name or "").partition(".")[0] in DISTRIBUTIONS


class MissingExtra:
    """Respond to every request with 503.

    :param error: raised by the failed import
    """

    body_timeout = 60.0
    send_timeout = 30.0
    _logged = False

    def __init__(self, error: ImportError) -> None:
        name = f" of {error.name}" if error.name else ""
        self.message = (
            f"the REST API cannot start because an import{name} failed: run `{EXTRA}` in the webserver's "
            "environment and restart it"
        )
        if not MissingExtra._logged:
            MissingExtra._logged = True
            log.error("The REST API answers 503: %s (%s)", self.message, error)

    def prepare(self) -> None:
        """Start nothing: no command can be run."""

    def watch(self) -> None:
        """Watch nothing: there are no jobs."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request.

        :param environ: the WSGI environ (PEP 3333)
        :param start_response: as in PEP 3333
        """
        body, headers = self.response()
        start_response("503 Service Unavailable", headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    def response(self) -> tuple[bytes, list[tuple[str, str]]]:
        """Return the body, an error envelope, and the headers of the response."""
        now = formatdate(usegmt=True)
        envelope = {
            "call_time": now,
            "output": self.message,
            "response_time": now,
            "status": "ERROR",
            "http_response_code": 503,
            "error": {"type": "Unavailable", "message": self.message},
        }
        body = json.dumps(envelope).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        return body, headers
