"""Request the catalog of commands from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_remote.api.result import parse_result, require_success
from airflow_remote.catalog.cache import strip_etag
from airflow_remote.catalog.models import FORMAT, Catalog
from airflow_remote.errors import AnsweredError, NotTheApiError, OutdatedServerError
from airflow_remote.http.connection import Request, open_connection
from airflow_remote.http.foreign_responses import not_the_api_error

if TYPE_CHECKING:
    from airflow_remote.http.session import Session


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
    with open_connection(session) as connection, connection.stream(request) as streamed:
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
