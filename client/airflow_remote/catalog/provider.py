"""Load the catalog of commands from the cache or the server.

* A catalog that was confirmed in the last hour is used as it is. Each response to a live command confirms it,
  or marks it as stale, so that regular use needs no further requests.
* An older one, or one that a response marked as stale, is requested with ``If-None-Match``.
* If the server cannot be reached, the cached one is used, whatever its age, with a notice to the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from airflow_remote.catalog.cache import CachedCatalog, CatalogCache, strip_etag
from airflow_remote.catalog.models import Catalog
from airflow_remote.errors import RemoteError

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
        from airflow_remote.catalog.fetching import fetch_catalog  # takes longer to import than all the rest

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
        """Compare the cached catalog with the ETag in a response: it is confirmed, or marked as stale.

        :param etag: with its quotes
        """
        self.load_cached()
        if self._cache is None or self._cached is None:
            return
        if strip_etag(etag) == self._cached.etag:
            self._cache.mark_fresh()
        else:
            self._cache.mark_stale()
