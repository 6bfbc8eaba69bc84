"""Load the catalog of commands from the cache or the server.

* A catalog that was confirmed in the last hour is used as it is.
* An older one, or one that a response marked as stale, is requested with ``If-None-Match``.
* If the server cannot be reached, the cached one is used, whatever its age, with a notice to the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from airflow_remote.api.result import parse_result, require_success
from airflow_remote.catalog.cache import CachedCatalog, CatalogCache
from airflow_remote.catalog.models import FORMAT, Catalog
from airflow_remote.errors import AnsweredError, NotTheApiError, OutdatedServerError, RemoteError
from airflow_remote.http.foreign_responses import not_the_api_error
from airflow_remote.http.session import Request

if TYPE_CHECKING:
    from airflow_remote.http.session import Session

MAX_WAIT_SECONDS = 60.0
"""How long to wait for a catalog: a server without a fork server imports Airflow first."""


class CatalogProvider:
    """The catalog of a server, loaded when it is first needed.

    :param open_session: creates the session; raises ``UnusableError`` if the global options are invalid
    :param notify: is called with a line for the user
    """

    def __init__(self, open_session: Callable[[], Session], notify: Callable[[str], None]) -> None:
        self._open_session = open_session
        self._notify = notify
        self._session: Session | None = None
        self._cache: CatalogCache | None = None
        self._cached: CachedCatalog | None = None
        self._catalog: Catalog | None = None
        self._read = self._asked = False
        self.failure: RemoteError | None = None
        """Why the server could not be asked; None if it could be, or was not asked."""

    def load_cached(self) -> Catalog | None:
        """Return the cached catalog of any age; send no request."""
        if not self._read:
            self._read = True
            try:
                self._session = self._open_session()
            except RemoteError as error:
                self.failure = error
                return None
            self._cache = CatalogCache(*self._session.identity)
            self._cached = self._cache.read()
            if self._cached is not None:
                try:
                    self._catalog = Catalog(self._cached.document)
                except ValueError:
                    self._cached = None
        return self._catalog

    def load(self, seconds: float = MAX_WAIT_SECONDS) -> Catalog | None:
        """Return a fresh catalog from the cache or the server; None if there is none.

        :param seconds: the maximum time to wait for a response
        """
        catalog = self.load_cached()
        if catalog is not None and self._cached is not None and self._cached.fresh:
            return catalog
        return self.reload(seconds)

    def reload(self, seconds: float = MAX_WAIT_SECONDS) -> Catalog | None:
        """Request the catalog from the server, at most once in a run; return None if there is none.

        :param seconds: the maximum time to wait for a response
        """
        self.load_cached()
        if self._session is None or self._cache is None or self._asked:
            return self._catalog
        self._asked = True
        etag = self._cached.etag if self._cached is not None else ""
        try:
            fetched = fetch_catalog(self._session, etag, seconds)
        except RemoteError as error:
            self.failure = error
            if self._catalog is not None:
                self._notify(f"{error.message}; using the cached list of commands")
            return self._catalog
        if fetched is None:
            self._cache.mark_fresh()
        else:
            self._catalog = fetched.catalog
            self._cached = CachedCatalog(fetched.etag, fetched.document, fresh=True)
            self._cache.write(fetched.etag, fetched.document)
        return self._catalog

    def note_etag(self, etag: str) -> None:
        """Mark the cached catalog as stale if a response names another ETag.

        :param etag: with its quotes
        """
        self.load_cached()
        if self._cache is not None and self._cached is not None and strip_etag(etag) != self._cached.etag:
            self._cache.mark_stale()


class FetchedCatalog(NamedTuple):
    """A catalog from the server.

    :param etag: its ETag, without quotes
    :param document: the JSON
    :param catalog: the parsed catalog
    """

    etag: str
    document: Any
    catalog: Catalog


def fetch_catalog(session: Session, etag: str, seconds: float) -> FetchedCatalog | None:
    """Request the catalog from the server.

    :param session: the connection settings of the server
    :param etag: the ETag of the cached catalog; "" for none
    :param seconds: the maximum time to wait for a response
    :returns: the catalog; None if the cached one is still valid
    :raises OutdatedServerError: if the server is too old to list its commands
    :raises NotTheApiError: if the response is invalid
    :raises RemoteError: as for any request
    """
    headers = {"If-None-Match": f'"{etag}"'} if etag else {}
    request = Request("GET", "/api/v1.0/commands", headers=headers, timeout=min(seconds, session.timeout))
    with session.connect() as connection, connection.stream(request) as streamed:
        if streamed.status == 304 and etag:
            return None
        response = streamed.read_json()
        new_etag = strip_etag(streamed.headers.get("ETag", ""))
    if response.status != 200 or (isinstance(response.document, dict) and "status" in response.document):
        try:
            require_success(parse_result(response), session.sends_token)
        except AnsweredError as error:
            if error.result.http_status == 404:
                raise OutdatedServerError(
                    f"the server at {session.base} is too old to list its commands, so only those of "
                    "Airflow 1.x work: update airflow-remote on the server"
                ) from None
            raise
    catalog_format = response.document.get("format") if isinstance(response.document, dict) else None
    if isinstance(catalog_format, int) and catalog_format != FORMAT:
        raise NotTheApiError(
            f"{response.url} lists its commands in format {catalog_format}: update airflow-remote"
        )
    try:
        return FetchedCatalog(new_etag, response.document, Catalog(response.document).validate_all())
    except (ValueError, RecursionError) as error:
        raise not_the_api_error(
            response.url, response.status, f"an invalid list of commands ({error})"
        ) from None


def strip_etag(etag: str) -> str:
    """Return an ETag without quotes, and without the W/ that a compressing proxy adds."""
    text = etag.strip()
    return (text[2:] if text.startswith("W/") else text).strip('"')
