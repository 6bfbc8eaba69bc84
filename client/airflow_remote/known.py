"""Which commands the server has, as far as this run of the program needs to know: from the cache, or asked.

* A catalogue of the last hour is used as it is.
* An older one, or one that an answer of the server's has outdated, is asked for with ``If-None-Match``.
* When the server cannot be asked, the cached one is used, whatever its age, and a line says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from airflow_remote.cache import Cache, Cached
from airflow_remote.catalogue import FORMAT, Catalogue
from airflow_remote.errors import AnsweredError, NotTheApiError, RemoteError, UnsupportedError

if TYPE_CHECKING:
    from airflow_remote.transport import Transport

LONGEST_SECONDS = 60.0
"""How long to wait for a catalogue: a server without a warm host imports Airflow for it."""


class Known:
    """What is known of a server's commands. Nothing is read before something is asked.

    :param transport: how the server is reached; raises when the global options cannot be used
    :param say: gets a line for the user
    """

    def __init__(self, transport: Callable[[], Transport], say: Callable[[str], None]) -> None:
        self._make = transport
        self._say = say
        self._transport: Transport | None = None
        self._cache: Cache | None = None
        self._cached: Cached | None = None
        self._catalogue: Catalogue | None = None
        self._read = self._asked = False
        self.failure: RemoteError | None = None
        """Why the server could not be asked; None when it could be, or was not asked."""

    def cached(self) -> Catalogue | None:
        """What the cache has, of whatever age; no request is made."""
        if not self._read:
            self._read = True
            try:
                self._transport = self._make()
            except RemoteError as error:
                self.failure = error
                return None
            self._cache = Cache(*self._transport.identity)
            self._cached = self._cache.read()
            if self._cached is not None:
                try:
                    self._catalogue = Catalogue(self._cached.document)
                except ValueError:
                    self._cached = None
        return self._catalogue

    def current(self, seconds: float = LONGEST_SECONDS) -> Catalogue | None:
        """The catalogue, asked for when the cache has none that is fresh; None when there is none.

        :param seconds: to wait for an answer at most
        """
        catalogue = self.cached()
        if catalogue is not None and self._cached is not None and self._cached.fresh:
            return catalogue
        return self.renewed(seconds)

    def renewed(self, seconds: float = LONGEST_SECONDS) -> Catalogue | None:
        """The catalogue as the server has it now, asked for once in a run; None when there is none.

        :param seconds: to wait for an answer at most
        """
        self.cached()
        if self._transport is None or self._cache is None or self._asked:
            return self._catalogue
        self._asked = True
        etag = self._cached.etag if self._cached is not None else ""
        try:
            answer = fetch(self._transport, etag, seconds)
        except RemoteError as error:
            self.failure = error
            if self._catalogue is not None:
                self._say(f"{error.message}; using the commands that it had when it was asked last")
            return self._catalogue
        if answer is None:
            self._cache.confirm()
        else:
            etag, document, self._catalogue = answer
            self._cached = Cached(etag, document, fresh=True)
            self._cache.write(etag, document)
        return self._catalogue

    def heard(self, etag: str) -> None:
        """Note the ETag that an answer to a command has named.

        :param etag: with its quotes
        """
        self.cached()
        if self._cache is not None and self._cached is not None and bare(etag) != self._cached.etag:
            self._cache.outdate()


def fetch(transport: Transport, etag: str, seconds: float) -> tuple[str, Any, Catalogue] | None:
    """Ask for the catalogue.

    :param transport: how the server is reached
    :param etag: of the one that is there; "" for none
    :param seconds: to wait for an answer at most
    :returns: its ETag, the document, and what it says; None when the one that is there is still right
    :raises UnsupportedError: when the server is older than catalogues
    :raises NotTheApiError: when the answer cannot be understood
    :raises RemoteError: as any request
    """
    from airflow_remote.result import accepted, understood
    from airflow_remote.transport import Request, not_the_api

    headers = {"If-None-Match": f'"{etag}"'} if etag else {}
    request = Request("GET", "/api/v1.0/commands", headers=headers, timeout=min(seconds, transport.timeout))
    with transport.connect() as connection, connection.open(request) as answer:
        if answer.status == 304 and etag:
            return None
        response = answer.json()
        named = bare(answer.headers.get("ETag", ""))
    if response.status != 200 or (isinstance(response.document, dict) and "status" in response.document):
        try:
            accepted(understood(response), transport.sends_token)
        except AnsweredError as error:
            if error.result.http_status == 404:
                raise UnsupportedError(
                    "the server's API is too old to tell its commands", error.result
                ) from None
            raise
    said = response.document.get("format") if isinstance(response.document, dict) else None
    if isinstance(said, int) and said != FORMAT:
        raise NotTheApiError(f"{response.url} tells its commands in format {said}: update airflow-remote")
    try:
        return named, response.document, Catalogue(response.document).checked()
    except (ValueError, RecursionError) as error:
        raise not_the_api(
            response.url, response.status, f"commands that cannot be understood ({error})"
        ) from None


def bare(etag: str) -> str:
    """An ETag without its quotes, and without the W/ that a proxy puts in front when it compresses."""
    text = etag.strip()
    return (text[2:] if text.startswith("W/") else text).strip('"')
