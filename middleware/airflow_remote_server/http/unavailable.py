"""The application that replaces the API if the configuration cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server import envelope
from airflow_remote_server.errors import Unavailable
from airflow_remote_server.http.body import DEFAULT_TIMEOUT
from airflow_remote_server.http.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

UNUSABLE_CONFIGURATION = "The REST API's configuration cannot be used; the webserver's log says why"


class UnavailableApp:
    """Respond to every request with 503, so that a mistake in the configuration opens nothing."""

    body_timeout = DEFAULT_TIMEOUT
    send_timeout = 30.0

    def prepare(self) -> None:
        """Start nothing: no command can run."""

    def watch(self) -> None:
        """Watch nothing: there are no jobs."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request.

        :param environ: the WSGI environ (PEP 3333)
        :param start_response: as in PEP 3333
        """
        error = Unavailable(UNUSABLE_CONFIGURATION)
        response = json_response(envelope.failure(envelope.now(), error), error.status)
        return response(environ, start_response)
