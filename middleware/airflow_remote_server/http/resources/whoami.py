"""The route ``GET /api/v1.0/whoami``: the principal, its permissions, and whether it may run a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.auth.permissions import takes_one_dag
from airflow_remote_server.errors import ApiError, BadArguments
from airflow_remote_server.http import arguments
from airflow_remote_server.http.job_documents import rfc3339
from airflow_remote_server.http.parameters import Parameters
from airflow_remote_server.http.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from airflow_remote_server.auth.authenticator import Principal
    from airflow_remote_server.auth.permissions import Permissions
    from airflow_remote_server.catalog.spec import Endpoint
    from airflow_remote_server.http.planning import Planner
    from airflow_remote_server.http.responses import RequestContext

MAX_WORDS = 4
"""The maximum number of words of a command, plus one."""


class WhoAmIRoutes:
    """Tell a principal what it may do.

    :param planner: knows the endpoints
    """

    def __init__(self, planner: Planner) -> None:
        self.planner = planner

    @property
    def handlers(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by the endpoint of their routes."""
        return {"whoami": self.show}

    def show(self, context: RequestContext) -> Response:
        """Serve ``GET /api/v1.0/whoami``; with ``can=dags trigger my_dag``, also whether that may be run.

        :raises ApiError: if a parameter is invalid, or there is no such command
        """
        parameters = Parameters(arguments.read_query(context.request))
        command = parameters.text("can")
        parameters.reject_unknown()
        document = self.document(context.principal)
        if command is not None:
            document["can"] = self.check(context.principal.permissions, command.split())
        return json_response(document, 200)

    def document(self, principal: Principal) -> dict[str, Any]:
        """Return a principal and its permissions.

        :raises Unavailable: if the commands cannot be read
        """
        permissions = principal.permissions
        return {
            "name": principal.name,
            "peer": principal.peer,
            "role": permissions.role.name,
            "unrestricted": permissions.unrestricted,
            "dags": None if permissions.dags is None else list(permissions.dags),
            "expires": None if principal.expires is None else rfc3339(principal.expires.timestamp()),
            "commands": list(self.planner.live.for_permissions(permissions).runnable),
            "endpoints": [
                name
                for name, endpoint in self.planner.endpoints.items()
                if not self.refusal(permissions, endpoint)[1]
            ],
        }

    def check(self, permissions: Permissions, words: list[str]) -> dict[str, Any]:
        """Return whether a principal may run a command, and why not.

        :param permissions: the permissions of the principal
        :param words: a command or a classic endpoint, optionally followed by a DAG id
        :raises ApiError: if there is no such command
        """
        endpoint, rest = self.find(words)
        if len(rest) > 1 or (rest and not takes_one_dag(endpoint.variants[0])):
            raise BadArguments(
                f"`{endpoint.name}` takes no {' '.join(rest)[:80]!r} here: give at most a DAG id"
            )
        layer, reason = self.refusal(permissions, endpoint)
        if not reason and rest and not permissions.reaches(rest[0]):
            layer, reason = "DAG", f"{rest[0][:80]!r} is not one of the token's DAGs"
        return {
            "command": endpoint.name,
            "dag_id": rest[0] if rest else None,
            "allowed": not reason,
            "layer": layer,
            "reason": reason,
        }

    def find(self, words: list[str]) -> tuple[Endpoint, list[str]]:
        """Return the command that a list of words begins with, and the remaining words.

        :raises ApiError: if there is none
        """
        live = self.planner.live.for_permissions()
        for count in range(min(len(words), MAX_WORDS), 0, -1):
            endpoint = live.endpoints.get(" ".join(words[:count]))
            if endpoint is not None:
                return endpoint, words[count:]
        try:
            endpoint = self.planner.find(words[0] if words else "")
            self.planner.check_available(endpoint)
        except ApiError:
            return live.find(" ".join(words[:MAX_WORDS])), []
        return endpoint, words[1:]

    def refusal(self, permissions: Permissions, endpoint: Endpoint) -> tuple[str, str]:
        """Return the layer that refuses an endpoint's first variant, and the reason; both "" for none."""
        if endpoint.absent:
            return "Airflow", endpoint.absent
        variant = endpoint.variants[0]
        command = " ".join(variant.command)
        layer, reason = permissions.refusal(variant, endpoint.name, self.planner.classic.get(command, ()))
        policy = self.planner.policy.refusal_reason(command, endpoint.name)
        return (layer, reason) if reason or not policy else ("policy", policy)
