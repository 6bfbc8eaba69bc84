"""The routes about access: ``whoami`` and ``audit``. Each method sends one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote.api.result import parse_result, require_success
from airflow_remote.http.connection import Request
from airflow_remote.http.foreign_responses import not_the_api_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.http.connection import Connection, Response

WHOAMI, AUDIT = "/api/v1.0/whoami", "/api/v1.0/audit"


class AccessApi:
    """Access routes over a connection. All methods raise the errors of ``Connection.stream``, and:

    * ``AnsweredError`` if the server reports an error;
    * ``NotTheApiError`` if the response is not from the API.

    :param connection: to the server
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def whoami(self, can: str | None) -> Mapping[str, Any]:
        """Return the token's identity and permissions.

        :param can: a command, optionally with a DAG id, to check for permission; None for none
        """
        query = {} if can is None else {"can": can}
        response = self._connection.send(Request("GET", WHOAMI, query=query))
        document = self._parse_object(response, "name")
        permission = document.get("can")
        if can is not None and not (
            isinstance(permission, dict) and isinstance(permission.get("allowed"), bool)
        ):
            raise not_the_api_error(response.url, response.status, "unexpected JSON")
        return document

    def audit(self, query: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str | None]:
        """Return a page of the audit log, newest first.

        :param query: ``principal``, ``peer``, ``result``, ``layer``, ``job``, ``command``, ``limit`` and
            ``before``
        :returns: the entries, and the ``before`` of the next page; None if this is the last one
        """
        response = self._connection.send(Request("GET", AUDIT, query=query))
        document = self._parse_object(response, "audit")
        entries, following = document["audit"], document.get("next")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise not_the_api_error(response.url, response.status, "unexpected JSON")
        return entries, following if isinstance(following, str) else None

    def _parse_object(self, response: Response, key: str) -> Mapping[str, Any]:
        """Return the JSON object of a response if it has the required key."""
        document = response.document
        if response.status < 300 and isinstance(document, dict) and key in document:
            return document
        require_success(parse_result(response), self._connection.session.sends_token)
        raise not_the_api_error(response.url, response.status, "unexpected JSON")
