"""A request with its principal, what is to be answered, and the responses that say it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.utils import send_file
from werkzeug.wrappers import Response

from airflow_remote_server import envelope
from airflow_remote_server.auth import Principal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from werkzeug.wrappers import Request

    from airflow_remote_server.errors import ApiError


@dataclass
class Notes:
    """What is learned of a request while it is served, for the audit.

    :param route: what serves it; "" for what is not there
    :param principal: for whom it is done; None when that is not known
    :param name: of the endpoint
    :param command: the command line, secrets masked
    :param job: the id of its job
    :param error: what went wrong; None when nothing did
    """

    route: str = ""
    principal: Principal | None = None
    name: str = ""
    command: str = ""
    job: str = ""
    error: ApiError | None = None


@dataclass(frozen=True)
class Call:
    """A request, and who makes it.

    :param request: it
    :param time: when it came
    :param principal: for whom it is done
    :param notes: for the audit
    """

    request: Request
    time: datetime
    principal: Principal
    notes: Notes = field(default_factory=Notes)

    @property
    def root(self) -> str:
        """The path of the API's prefix, as a client needs it."""
        return quote(self.request.environ["SCRIPT_NAME"].encode("latin-1"))


NOBODY = Principal("", "")
"""For routes that need no token."""


@dataclass
class Answer:
    """What the answer to a request says.

    :param fields: of the envelope
    :param error: what went wrong; None when nothing did
    :param status: HTTP status when nothing did
    """

    fields: dict[str, Any] = field(default_factory=dict)
    error: ApiError | None = None
    status: int = 200


def document(call: Call, answer: Answer) -> dict[str, Any]:
    """The envelope for an endpoint's answer."""
    if answer.error is not None:
        return envelope.failure(call.time, answer.error, answer.fields)
    return envelope.success(call.time, answer.status, answer.fields)


def finish(call: Call, answer: Answer, headers: dict[str, str] | None = None) -> Response:
    """The response for an endpoint's answer."""
    error = call.notes.error = answer.error
    status, own = (answer.status, {}) if error is None else (error.status, error.headers)
    return respond(document(call, answer), status, {**(headers or {}), **own})


def respond(document: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    """A JSON response.

    :param document: the object
    :param status: HTTP status
    :param headers: further headers
    """
    # A lone surrogate, which UTF-8 does not have, stays the JSON escape that it came as.
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    return guarded(Response(body, status, headers, content_type="application/json"))


def plain(body: bytes, status: int, headers: dict[str, str]) -> Response:
    """A response of text."""
    return guarded(Response(body, status, headers, content_type="text/plain; charset=utf-8"))


def streamed(body: Iterable[bytes], kind: str, headers: dict[str, str]) -> Response:
    """A response that is sent as it comes, also through nginx."""
    return guarded(Response(body, 200, {**headers, "X-Accel-Buffering": "no"}, content_type=kind))


def download(request: Request, path: Path) -> Response:
    """A file, as an attachment that no browser shows.

    :param request: may ask for a part of it (RFC 9110, 14)
    :param path: where it is
    """
    kind = "application/octet-stream"
    response = send_file(path, request.environ, kind, as_attachment=True, download_name=path.name)
    return guarded(undated(response))


def revalidated(response: Response, etag: str, request: Request) -> Response:
    """A response that may be kept, and has to be asked for again; 304 when it is kept already.

    :param etag: of its content
    """
    guarded(response).set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    return undated(response.make_conditional(request))


def undated(response: Response) -> Response:
    """A response without the ``Date`` that werkzeug adds here: the web server has its own."""
    response.headers.pop("Date", None)
    return response


def guarded(response: Response) -> Response:
    """A response that is not kept, and not taken for something else."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
