"""What a token may do, and what was done: the routes of the API that tell it. Each call is one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote.result import accepted, understood
from airflow_remote.transport import Request, not_the_api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.transport import Connection, Response

WHOAMI, AUDIT = "/api/v1.0/whoami", "/api/v1.0/audit"


class Access:
    """Both over a connection. All methods raise what ``Connection.open`` does, and:

    * ``AnsweredError`` when the server answers that it cannot, or will not;
    * ``NotTheApiError`` when something else answers.

    :param connection: to the server
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def whoami(self, can: str | None) -> Mapping[str, Any]:
        """Who the token is, and what it may do.

        :param can: a command, perhaps with a DAG, of which it is asked whether it may be run; None for none
        """
        query = {} if can is None else {"can": can}
        response = self._connection.ask(Request("GET", WHOAMI, query=query))
        document = self._object(response, "name")
        asked = document.get("can")
        if can is not None and not (isinstance(asked, dict) and isinstance(asked.get("allowed"), bool)):
            raise not_the_api(response.url, response.status, "JSON of another kind")
        return document

    def audit(self, query: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str | None]:
        """Some entries of the audit, newest first.

        :param query: ``principal``, ``peer``, ``result``, ``layer``, ``job``, ``command``, ``limit`` and
            ``before``
        :returns: the entries, and ``before`` for those that follow; None when none do
        """
        response = self._connection.ask(Request("GET", AUDIT, query=query))
        document = self._object(response, "audit")
        entries, following = document["audit"], document.get("next")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise not_the_api(response.url, response.status, "JSON of another kind")
        return entries, following if isinstance(following, str) else None

    def _object(self, response: Response, key: str) -> Mapping[str, Any]:
        """The object that an answer is, when it has what it must have."""
        document = response.document
        if response.status < 300 and isinstance(document, dict) and key in document:
            return document
        accepted(understood(response), self._connection.transport.sends_token)
        raise not_the_api(response.url, response.status, "JSON of another kind")
