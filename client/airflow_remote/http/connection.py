"""Send HTTP requests to the API, and read the responses, completely or as they arrive.

Each request is sent once; ``http.retry`` and ``api.run`` decide about retries. No redirect is followed: the
token is for the server that the user named. ``requests`` is imported with the first request, since the import
takes longer than the rest of the startup.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_remote._version import __version__
from airflow_remote.errors import LostError, NotTheApiError
from airflow_remote.http.certificates import find_ca_bundle, validate_ca_bundle
from airflow_remote.http.exceptions import CONNECT_TIMEOUT, translate_errors
from airflow_remote.http.foreign_responses import not_the_api_error, redirect_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

    from airflow_remote.http.multipart import Body
    from airflow_remote.http.session import Session

JSON, TEXT, EVENTS = "application/json", "text/plain", "application/x-ndjson"
BYTES = "application/octet-stream"
CATALOG_HEADER = "Airflow-Remote-Catalog"
"""The ETag of the server's catalog, in every response to a command."""
MAX_RESPONSE_BYTES = 1 << 28
"""Larger than any response: by default, an envelope has at most 16 MiB of output, twice and escaped."""
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Request:
    """A request.

    :param method: ``GET``, ``POST`` or ``DELETE``
    :param path: below ``/admin/rest_api``
    :param accept: accepted content types
    :param body: the body; b"" for none
    :param content_type: the content type of the body
    :param query: parameters of the URL
    :param headers: further headers
    :param timeout: read timeout in seconds; None for the session's
    """

    method: str
    path: str
    accept: str = JSON
    body: Body = b""
    content_type: str = JSON
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None


@dataclass(frozen=True)
class Response:
    """A JSON response.

    :param url: the URL of the request
    :param status: HTTP status
    :param retry_after: value of the ``Retry-After`` header; "" if there is none
    :param document: the parsed JSON
    """

    url: str
    status: int
    retry_after: str
    document: Any


class StreamedResponse:
    """A response whose body has not been read yet. Reading it raises the errors of ``Connection.stream``.

    :param url: the URL of the request
    :param response: the response of ``requests``
    :param base: the API's URL, for messages
    :param timeout: read timeout in seconds
    """

    def __init__(self, url: str, response: requests.Response, base: str, timeout: float) -> None:
        self.url = url
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.content_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self._response = response
        self._base, self._timeout = base, timeout

    def iter_chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, without waiting for full blocks."""
        with translate_errors(self._base, self._timeout):
            raw = self._response.raw
            if hasattr(raw, "read1"):
                while chunk := raw.read1(BLOCK_BYTES, decode_content=True):
                    yield chunk
            else:  # in urllib3 1, only chunked responses arrive as they are sent
                yield from self._response.iter_content(None if getattr(raw, "chunked", False) else 1)

    def read(self) -> bytes:
        """Read the full body.

        :raises NotTheApiError: also if it is larger than any response of the API
        """
        text = bytearray()
        with translate_errors(self._base, self._timeout):
            for block in self._response.iter_content(BLOCK_BYTES):
                text += block
                if len(text) > MAX_RESPONSE_BYTES:
                    raise NotTheApiError(f"{self.url} sent over {MAX_RESPONSE_BYTES} bytes")
        if getattr(self._response.raw, "length_remaining", None):  # urllib3 1 does not check this
            raise LostError(f"the connection to {self._base} was lost before the end of the response")
        return bytes(text)

    def read_json(self) -> Response:
        """Read the full body as JSON.

        :raises NotTheApiError: also if it is not JSON
        """
        text = self.read()
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            content_type = self.content_type or "no content type"
            raise not_the_api_error(self.url, self.status, f"{content_type[:40]}, not JSON") from None
        return Response(self.url, self.status, self.headers.get("Retry-After", ""), document)


class Connection:
    """Send requests one after the other over a connection that is kept open if the server allows it.

    :param session: the connection settings of the server
    :param http_session: the session of ``requests``
    :param ca_bundle: file or directory of CA certificates; "" for those that come with ``requests``
    """

    def __init__(self, session: Session, http_session: requests.Session, ca_bundle: str = "") -> None:
        self.session = session
        self._http_session = http_session
        self._verify = ca_bundle or True

    @contextmanager
    def stream(self, request: Request) -> Iterator[StreamedResponse]:
        """Send a request once, and yield the response as soon as its headers arrive.

        :raises LostError: if the connection breaks or the server does not respond in time
        :raises UnreachableError: if there is no connection
        :raises NotTheApiError: if the response is a redirect or cannot be decoded
        :raises UnusableError: if the URL is invalid
        :raises LocalFileError: if a file to send cannot be read
        """
        base = self.session.base
        timeout = self.session.timeout if request.timeout is None else request.timeout
        with translate_errors(base, timeout):
            response = self._http_session.request(
                request.method,
                base + request.path,
                params=request.query,
                data=request.body,
                headers=_headers(self.session, request),
                allow_redirects=False,
                stream=True,
                timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
                verify=self._verify,
            )
        with response:
            streamed = StreamedResponse(base + request.path, response, base, timeout)
            if CATALOG_HEADER in streamed.headers:
                self.session.on_catalog_etag(streamed.headers[CATALOG_HEADER])
            is_revalidation = streamed.status == 304 and "If-None-Match" in request.headers
            if 300 <= streamed.status < 400 and not is_revalidation:
                raise redirect_error(streamed.url, streamed.headers.get("Location", ""), base)
            yield streamed

    def send(self, request: Request) -> Response:
        """Send a request once, and read its JSON response.

        :raises NotTheApiError: also if it is not JSON; and the errors of ``stream``
        """
        with self.stream(request) as streamed:
            return streamed.read_json()


@contextmanager
def open_connection(session: Session) -> Iterator[Connection]:
    """Open a connection for the requests of one operation.

    :param session: the connection settings of the server
    :raises LocalFileError: if the CA certificates cannot be read
    """
    import requests

    ca_bundle = find_ca_bundle(session.cacert)
    if ca_bundle is not None and session.base.startswith("https:"):
        validate_ca_bundle(ca_bundle)
    with requests.Session() as http_session:
        http_session.auth = _add_no_credentials
        yield Connection(session, http_session, ca_bundle.path if ca_bundle is not None else "")


def _headers(session: Session, request: Request) -> dict[str, str | bytes]:
    """Return the headers of a request."""
    headers: dict[str, str | bytes] = {
        "User-Agent": f"airflow-remote/{__version__}",
        "Accept": request.accept,
        **request.headers,
    }
    if request.accept.startswith(EVENTS):
        headers["Accept-Encoding"] = "identity"  # compression would delay the output
    if request.body:
        headers["Content-Type"] = request.content_type
    return {**headers, **session.credentials}


def _add_no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no credentials; otherwise requests would send a password from ``~/.netrc``."""
    return request
