"""One HTTP request to the API: where it goes, what it carries, and what came back as JSON.

Nothing is sent twice, whatever goes wrong: a request whose answer is lost may have triggered a DAG. No
redirect is followed: the token is for the server that the user named. ``requests`` is imported when something
is sent, since it costs more than all the rest of a start.
"""

from __future__ import annotations

import json
import math
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow_remote import __version__
from airflow_remote.errors import NotTheApiError, UnreachableError, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from airflow_remote.body import Body

MOUNT = "/admin/rest_api"
TOKEN_HEADER = "rest-api-plugin-http-token"  # noqa: S105 (a name)
DEFAULT_URL = "http://localhost:8080"
DEFAULT_TIMEOUT = 150.0
"""Seconds; the server ends a command after 100 s by default, and its answer should be waited for."""
CONNECT_TIMEOUT = 10.0
"""Seconds."""
MAX_TIMEOUT = 1e6
"""Seconds; sockets take no more than some hundred years."""
MAX_ANSWER_BYTES = 1 << 28
"""A server's default limit of 16 MiB of output, twice in an envelope and escaped, is below."""


@dataclass(frozen=True)
class Response:
    """What came back.

    :param url: the URL that was asked
    :param status: HTTP status
    :param retry_after: the header of that name; "" when there is none
    :param document: the JSON
    """

    url: str
    status: int
    retry_after: str
    document: Any


class Transport:
    """Sends requests to one server.

    :param url: http or https; with or without a path, and ``/admin/rest_api`` at its end
    :param token: None or "" to send none
    :param timeout: seconds to wait for the answer; the connection must stand after 10 s at the latest
    :raises UnusableError: when one of them cannot be used
    """

    def __init__(self, url: str, token: str | None, timeout: float) -> None:
        self.base = base_url(url)
        self._token = checked_token(token or "")
        if not (math.isfinite(timeout) and 0 < timeout <= MAX_TIMEOUT):
            raise UnusableError(f"the time-out must be above 0 s and at most {MAX_TIMEOUT:g} s")
        self.timeout = timeout

    def __repr__(self) -> str:
        """Without the token."""
        return f"{type(self).__name__}({self.base!r})"

    @property
    def sends_token(self) -> bool:
        """Whether requests carry a token."""
        return bool(self._token)

    def post(self, path: str, body: Body, content_type: str) -> Response:
        """Send a request, once.

        :param path: below ``/admin/rest_api``
        :param body: what to send
        :param content_type: what that is
        :raises UnreachableError: when there is no connection, or no answer
        :raises NotTheApiError: when the answer is a redirect, or not JSON
        :raises UnusableError: when the URL turns out to be unusable
        :raises LocalFileError: when a file that is sent cannot be read
        """
        import requests

        url = self.base + path
        headers: dict[str, str | bytes] = {
            "User-Agent": f"airflow-remote/{__version__}",
            "Accept": "application/json",
            "Content-Type": content_type,
        }
        if self._token:
            headers[TOKEN_HEADER] = self._token.encode()
        with requests.Session() as session, self._errors():
            session.auth = _leave_alone
            response = session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                stream=True,
                timeout=(min(CONNECT_TIMEOUT, self.timeout), self.timeout),
            )
            with response:
                return self._read(url, response)

    def _read(self, url: str, response: requests.Response) -> Response:
        if 300 <= response.status_code < 400:
            raise NotTheApiError(self._redirected(url, response.headers.get("Location", "")))
        text = bytearray()
        for block in response.iter_content(1 << 16):
            text += block
            if len(text) > MAX_ANSWER_BYTES:
                raise NotTheApiError(f"{url} answered with over {MAX_ANSWER_BYTES} bytes")
        retry_after = response.headers.get("Retry-After", "")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
            raise NotTheApiError(not_the_api(url, response.status_code, f"{kind[:40]}, not JSON")) from None
        return Response(url, response.status_code, retry_after, document)

    def _redirected(self, url: str, target: str) -> str:
        said = f"{url} redirects to {target[:300]!r}, which is not followed: the token is for one server only"
        better = target.partition(MOUNT)[0]
        if MOUNT in target and better.startswith(("http://", "https://")) and better != self.base:
            return f"{said}; if that is the right one, set --url {better}"
        return f"{said}; set --url to the address that answers itself"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what requests raises into our own errors."""
        import requests
        import urllib3

        lost = f"the connection to {self.base} was lost before the answer; the command may have been run"
        try:
            yield
        except requests.exceptions.ConnectTimeout:
            limit = min(CONNECT_TIMEOUT, self.timeout)
            raise UnreachableError(f"no connection to {self.base} within {limit:g} s") from None
        except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
            raise UnreachableError(self._too_late()) from None
        except requests.exceptions.ContentDecodingError as error:
            raise NotTheApiError(f"{self.base} answered with content that cannot be decoded") from error
        except requests.exceptions.ConnectionError as error:
            if _any_is(error, urllib3.exceptions.ReadTimeoutError):
                raise UnreachableError(self._too_late()) from error
            if _never_connected(error):
                raise UnreachableError(f"no connection to {self.base}: {_reason(error)}") from error
            raise UnreachableError(f"{lost} ({_reason(error)})") from error
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidProxyURL,
            urllib3.exceptions.LocationParseError,
            UnicodeError,
        ) as error:
            raise UnusableError(f"the URL {self.base!r} cannot be used: {error}") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise UnreachableError(f"{lost} ({_reason(error)})") from error

    def _too_late(self) -> str:
        return (
            f"no answer from {self.base} within {self.timeout:g} s (see --timeout); "
            "the command may still be running there"
        )


def base_url(url: str) -> str:
    """The URL below which the API is: up to and with ``/admin/rest_api``.

    :param url: as the user gave it
    :raises UnusableError: when it is not an http or https URL, or holds more than a server and a path
    """
    if any(char.isspace() or not char.isprintable() for char in url):
        raise UnusableError("the URL holds a space or a control character")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise UnusableError(f"the URL {_without_user(url)!r} cannot be used: {error}") from None
    if "@" in (parts.netloc or url):
        raise UnusableError("the URL must not hold a user or password; see --token")
    if parts.scheme not in ("http", "https"):
        example = "" if "://" in url else f", as in http://{url}" if url else f", as in {DEFAULT_URL}"
        raise UnusableError(f"the URL {url!r} must begin with http:// or https://{example}")
    if not usable:
        raise UnusableError(f"the URL {url!r} names no server")
    if parts.query or parts.fragment:
        raise UnusableError(f"the URL {url!r} must end with its path: no ? and no #")
    return _mounted(parts)


def _mounted(parts: SplitResult) -> str:
    path = parts.path.rstrip("/")
    if not path.endswith(MOUNT):
        path += MOUNT
    return f"{parts.scheme}://{parts.netloc}{path}"


def _without_user(url: str) -> str:
    return "***@" + url.rpartition("@")[2] if "@" in url else url


def checked_token(token: str) -> str:
    """The token as it is sent.

    :param token: "" for none; spaces around it are dropped, as the server does
    :raises UnusableError: when it cannot stand in a header; the message does not show it
    """
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in token):
        raise UnusableError("the token holds a line end or another control character")
    return token.strip()


def not_the_api(url: str, status: int, what: str) -> str:
    """The message for an answer that is not the API's.

    :param url: what was asked
    :param status: HTTP status
    :param what: what came instead
    """
    hint = "check --url, and that the webserver has the middleware"
    if status in (502, 503, 504):
        hint = "that is a proxy, and the webserver behind it is down or slow"
    return f"{url} answered {status} with {what}: {hint}"


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication that adds nothing: otherwise requests would send a password of ``~/.netrc``."""
    return request


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those it came from, also where urllib3 keeps them in ``reason`` or ``args``."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]


def _any_is(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(found, kind) for found in _chain(error))


def _never_connected(error: BaseException) -> bool:
    import requests
    import urllib3

    kinds = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError)
    return isinstance(error, requests.exceptions.SSLError) or any(_any_is(error, kind) for kind in kinds)


def _reason(error: BaseException) -> str:
    """What the operating system or TLS said, which the last exception of a chain is nearest to."""
    chain = list(_chain(error))
    for found in reversed(chain):
        if isinstance(found, OSError) and isinstance(found.strerror, str):
            return found.strerror
    texts = [str(found) for found in reversed(chain) if not found.args or isinstance(found.args[0], str)]
    return next((text for text in texts if text), type(error).__name__)
