"""HTTP requests to the API: where they go, what they carry, and what comes back, whole or as it comes.

Each request is sent once; who may send one again is ``patience``'s and ``running``'s business. No redirect is
followed: the token is for the server that the user named. ``requests`` is imported when something is sent,
since it costs more than all the rest of a start.
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from airflow_remote import __version__
from airflow_remote.address import MOUNT, base_url, checked_token
from airflow_remote.breakage import CONNECT_TIMEOUT, translated
from airflow_remote.errors import GatewayError, LostError, NotTheApiError, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

    from airflow_remote.body import Body

TOKEN_HEADER = "rest-api-plugin-http-token"  # noqa: S105 (a name)
JSON, TEXT, EVENTS = "application/json", "text/plain", "application/x-ndjson"
BYTES = "application/octet-stream"
DEFAULT_TIMEOUT = 150.0
"""Seconds; the server answers after 108 s at the latest by default, and that should be waited for."""
CATALOGUE_HEADER = "Airflow-Remote-Catalogue"
"""The ETag of the server's catalogue of commands, in every answer to a command."""
MAX_TIMEOUT = 1e6
"""Seconds; sockets take no more than some hundred years."""
MAX_ANSWER_BYTES = 1 << 28
"""A server's default limit of 16 MiB of output, twice in an envelope and escaped, is below."""
GATEWAY = (502, 503, 504)
"""What proxies say for a webserver that is not there."""
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Request:
    """What is asked.

    :param method: ``GET`` or ``POST``
    :param path: below ``/admin/rest_api``
    :param accept: types of the answer that are understood
    :param body: what to send; b"" for nothing
    :param content_type: what that is
    :param query: what the URL ends with
    :param headers: further headers
    :param timeout: seconds to wait for a sign of the server; None for the transport's
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
    """An answer in JSON.

    :param url: the URL that was asked
    :param status: HTTP status
    :param retry_after: the header of that name; "" when there is none
    :param document: the JSON
    """

    url: str
    status: int
    retry_after: str
    document: Any


class Answer:
    """An answer whose body has not been read yet. Reading it raises what ``Connection.open`` does.

    :param url: the URL that was asked
    :param response: as ``requests`` has it
    :param base: the API's URL, for messages
    :param timeout: seconds to wait for more
    """

    def __init__(self, url: str, response: requests.Response, base: str, timeout: float) -> None:
        self.url = url
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self._response = response
        self._base, self._timeout = base, timeout

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes, without waiting until a block is full."""
        with translated(self._base, self._timeout):
            raw = self._response.raw
            if hasattr(raw, "read1"):
                while piece := raw.read1(BLOCK_BYTES, decode_content=True):
                    yield piece
            else:  # urllib3 1: there only chunks come as they are sent
                yield from self._response.iter_content(None if getattr(raw, "chunked", False) else 1)

    def whole(self) -> bytes:
        """All of the body.

        :raises NotTheApiError: also when it is larger than any of the API's
        """
        text = bytearray()
        with translated(self._base, self._timeout):
            for block in self._response.iter_content(BLOCK_BYTES):
                text += block
                if len(text) > MAX_ANSWER_BYTES:
                    raise NotTheApiError(f"{self.url} answered with over {MAX_ANSWER_BYTES} bytes")
        if getattr(self._response.raw, "length_remaining", None):  # urllib3 1 does not mind
            raise LostError(f"the connection to {self._base} was lost before the end of the answer")
        return bytes(text)

    def json(self) -> Response:
        """All of the body, as JSON.

        :raises NotTheApiError: also when it is something else
        """
        text = self.whole()
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            kind = self.kind or "no content type"
            raise not_the_api(self.url, self.status, f"{kind[:40]}, not JSON") from None
        return Response(self.url, self.status, self.headers.get("Retry-After", ""), document)


class Connection:
    """Sends requests, one after the other, over a connection that is kept where the server allows it.

    :param transport: says to whom
    :param session: of ``requests``
    """

    def __init__(self, transport: Transport, session: requests.Session) -> None:
        self.transport = transport
        self._session = session

    @contextmanager
    def open(self, request: Request) -> Iterator[Answer]:
        """Send a request, once, and give its answer as soon as its head is there.

        :raises LostError: when the connection breaks off, or the server does not give a sign in time
        :raises UnreachableError: when there is no connection
        :raises NotTheApiError: when the answer is a redirect, or cannot be decoded
        :raises UnusableError: when the URL turns out to be unusable
        :raises LocalFileError: when a file that is sent cannot be read
        """
        base = self.transport.base
        timeout = self.transport.timeout if request.timeout is None else request.timeout
        with translated(base, timeout):
            response = self._session.request(
                request.method,
                base + request.path,
                params=request.query,
                data=request.body,
                headers=self.transport.headers(request),
                allow_redirects=False,
                stream=True,
                timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            )
        with response:
            answer = Answer(base + request.path, response, base, timeout)
            if CATALOGUE_HEADER in answer.headers:
                self.transport.heard(answer.headers[CATALOGUE_HEADER])
            asked_whether_modified = answer.status == 304 and "If-None-Match" in request.headers
            if 300 <= answer.status < 400 and not asked_whether_modified:
                raise NotTheApiError(_redirected(answer, base))
            yield answer

    def ask(self, request: Request) -> Response:
        """Send a request, once, and read its answer.

        :raises NotTheApiError: when it is not JSON; and all that ``open`` raises
        """
        with self.open(request) as answer:
            return answer.json()


class Transport:
    """How one server is reached.

    :param url: http or https; with or without a path, and ``/admin/rest_api`` at its end
    :param token: None or "" to send none
    :param timeout: seconds to wait for a sign of the server; a connection must stand after at most 10 s
    :param heard: gets the ETag of the server's catalogue of commands, with its quotes, from every answer that
        names it
    :raises UnusableError: when one of them cannot be used
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        timeout: float,
        heard: Callable[[str], None] = lambda etag: None,
    ) -> None:
        self.base = base_url(url)
        self._token = checked_token(token or "")
        if not (math.isfinite(timeout) and 0 < timeout <= MAX_TIMEOUT):
            raise UnusableError(f"the time-out must be above 0 s and at most {MAX_TIMEOUT:g} s")
        self.timeout = timeout
        self.heard = heard

    def __repr__(self) -> str:
        """Without the token."""
        return f"{type(self).__name__}({self.base!r})"

    @property
    def sends_token(self) -> bool:
        """Whether requests carry a token."""
        return bool(self._token)

    @property
    def identity(self) -> tuple[str, str]:
        """The API's URL, and the token: what decides which commands there are."""
        return self.base, self._token

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for the requests of one piece of work."""
        import requests

        with requests.Session() as session:
            session.auth = _leave_alone
            yield Connection(self, session)

    def headers(self, request: Request) -> dict[str, str | bytes]:
        """What a request carries beside its body."""
        headers: dict[str, str | bytes] = {
            "User-Agent": f"airflow-remote/{__version__}",
            "Accept": request.accept,
            **request.headers,
        }
        if request.accept.startswith(EVENTS):
            headers["Accept-Encoding"] = "identity"  # what compresses, collects
        if request.body:
            headers["Content-Type"] = request.content_type
        if self._token:
            headers[TOKEN_HEADER] = self._token.encode()
        return headers


def not_the_api(url: str, status: int, what: str) -> NotTheApiError:
    """The error for an answer that is not the API's.

    :param url: what was asked
    :param status: HTTP status
    :param what: what came instead
    """
    said = f"{url} answered {status} with {what}"
    if status in GATEWAY:
        return GatewayError(f"{said}: that is a proxy, and the webserver behind it is down or slow")
    return NotTheApiError(f"{said}: check --url, and that the webserver has the middleware")


def _redirected(answer: Answer, base: str) -> str:
    target = answer.headers.get("Location", "")
    said = (
        f"{answer.url} redirects to {target[:300]!r}, which is not followed: the token is for one server only"
    )
    better = target.partition(MOUNT)[0]
    if MOUNT in target and better.startswith(("http://", "https://")) and better != base:
        return f"{said}; if that is the right one, set --url {better}"
    return f"{said}; set --url to the address that answers itself"


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication that adds nothing: otherwise requests would send a password of ``~/.netrc``."""
    return request
