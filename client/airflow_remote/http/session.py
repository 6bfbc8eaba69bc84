"""The connection settings of one server; ``http.connection`` sends the requests.

This module imports neither an HTTP library nor ``ssl``, since help and completion need the settings only to
find the cached catalog.
"""

from __future__ import annotations

import math
from typing import Callable

from airflow_remote.errors import UnusableError
from airflow_remote.http.url import api_base_url, validate_token

TOKEN_HEADER = "rest-api-plugin-http-token"  # noqa: S105 (a name)
DEFAULT_TIMEOUT = 150.0
"""How long to wait for a response, in seconds; by default, the server responds after at most 108 s."""
MAX_TIMEOUT = 1e6
"""The longest timeout, in seconds; sockets accept at most some hundred years."""


class Session:
    """The connection settings of one server.

    :param url: http or https; with or without a path, and ``/admin/rest_api`` at its end
    :param token: None or "" to send none
    :param timeout: read timeout in seconds; the connection timeout is 10 s at most
    :param on_catalog_etag: is called with the ETag of the server's catalog, including quotes, for every
        response that names it
    :param cacert: file of CA certificates; None or "" for those of the environment, see ``certificates``
    :raises UnusableError: if one of them is invalid
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        timeout: float,
        on_catalog_etag: Callable[[str], None] = lambda etag: None,
        cacert: str | None = None,
    ) -> None:
        self.base = api_base_url(url)
        self._token = validate_token(token or "")
        if not (math.isfinite(timeout) and 0 < timeout <= MAX_TIMEOUT):
            raise UnusableError(f"the timeout must be above 0 s and at most {MAX_TIMEOUT:g} s")
        self.timeout = timeout
        self.on_catalog_etag = on_catalog_etag
        self.cacert = cacert or ""

    def __repr__(self) -> str:
        """Show the URL but not the token."""
        return f"{type(self).__name__}({self.base!r})"

    @property
    def sends_token(self) -> bool:
        """Return whether requests carry a token."""
        return bool(self._token)

    @property
    def identity(self) -> tuple[str, str]:
        """Return the API's URL and the token, which determine the available commands."""
        return self.base, self._token

    @property
    def credentials(self) -> dict[str, str | bytes]:
        """Return the headers that authorize a request."""
        if self._token:
            return {TOKEN_HEADER: self._token.encode()}
        # Without a token, the server accepts no change that a web page of another site could send.
        return {"X-Requested-With": "airflow-remote"}
