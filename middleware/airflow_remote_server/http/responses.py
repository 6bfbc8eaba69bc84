"""Requests with their principal, the replies of endpoints, and the HTTP responses made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.utils import send_file
from werkzeug.wrappers import Response

from airflow_remote_server import envelope
from airflow_remote_server.auth.authenticator import Principal
from airflow_remote_server.http.connection import CONNECTION
from airflow_remote_server.jobs.audit.entry import AuditNotes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from werkzeug.wrappers import Request

    from airflow_remote_server.errors import ApiError
    from airflow_remote_server.http.connection import Connection


@dataclass(frozen=True)
class RequestContext:
    """A request and its principal.

    :param request: the request
    :param time: when it arrived
    :param principal: the authenticated client
    :param notes: collected for the audit log
    """

    request: Request
    time: datetime
    principal: Principal
    notes: AuditNotes = field(default_factory=AuditNotes)

    @property
    def connection(self) -> Connection:
        """Return the connection of the request."""
        connection: Connection = self.request.environ[CONNECTION]
        return connection

    @property
    def root(self) -> str:
        """Return the path of the API's prefix, as a client sees it."""
        return quote(self.request.environ["SCRIPT_NAME"].encode("latin-1"))


NO_PRINCIPAL = Principal("", "")
"""The principal of routes that need no token."""


@dataclass
class Reply:
    """The reply of an endpoint, before it becomes a response.

    :param fields: the fields of the envelope
    :param error: the failure; None on success
    :param status: HTTP status on success
    """

    fields: dict[str, Any] = field(default_factory=dict)
    error: ApiError | None = None
    status: int = 200


def make_envelope(context: RequestContext, reply: Reply) -> dict[str, Any]:
    """Return the envelope of an endpoint's reply."""
    if reply.error is not None:
        return envelope.failure(context.time, reply.error, reply.fields)
    return envelope.success(context.time, reply.status, reply.fields)


def envelope_response(
    context: RequestContext, reply: Reply, headers: dict[str, str] | None = None
) -> Response:
    """Return an endpoint's reply as a JSON response, and note its error for the audit log."""
    error = context.notes.error = reply.error
    status, error_headers = (reply.status, {}) if error is None else (error.status, error.headers)
    return json_response(make_envelope(context, reply), status, {**(headers or {}), **error_headers})


def json_response(document: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response.

    :param document: the body, an object
    :param status: HTTP status
    :param headers: further headers
    """
    # A lone surrogate becomes the JSON escape that it came as.
    body = encode_text(json.dumps(document, ensure_ascii=False)) + b"\n"
    return _protect(Response(body, status, headers, content_type="application/json"))


def encode_text(text: str) -> bytes:
    """Return a text in UTF-8, which has no lone surrogates: they become escapes."""
    return text.encode("utf-8", "backslashreplace")


def text_response(body: bytes, status: int, headers: dict[str, str]) -> Response:
    """Return a plain-text response."""
    return _protect(Response(body, status, headers, content_type="text/plain; charset=utf-8"))


def streamed_response(body: Iterable[bytes], content_type: str, headers: dict[str, str]) -> Response:
    """Return a response that is sent piece by piece; nginx is told not to buffer it."""
    return _protect(Response(body, 200, {**headers, "X-Accel-Buffering": "no"}, content_type=content_type))


def file_response(request: Request, path: Path, name: str) -> Response:
    """Return a file as an attachment, which a browser downloads instead of showing it.

    :param request: may ask for a range (RFC 9110, 14)
    :param path: the path of the file
    :param name: the name of the attachment
    """
    status = path.stat()
    response = send_file(
        path,
        request.environ,
        "application/octet-stream",
        as_attachment=True,
        download_name=name,
        etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",  # werkzeug's own needs a name in UTF-8
    )
    return _protect(_remove_date(response))


def revalidated(response: Response, etag: str, request: Request) -> Response:
    """Let clients cache a response and revalidate it; return 304 if the request's ETag still matches.

    :param response: the full response
    :param etag: the ETag of its content
    :param request: may name an ETag
    """
    _protect(response).set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    return _remove_date(response.make_conditional(request))


def _remove_date(response: Response) -> Response:
    """Remove the ``Date`` header that werkzeug adds here: the web server sends its own."""
    response.headers.pop("Date", None)
    return response


def _protect(response: Response) -> Response:
    """Forbid caching and content sniffing."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
