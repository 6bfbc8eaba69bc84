"""``GET /api/v1.0/whoami``: who a token is and what it may do, and whether it may do one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server import arguments
from airflow_remote_server.errors import ApiError, BadArguments
from airflow_remote_server.jobs.resource import Query, moment
from airflow_remote_server.responses import respond
from airflow_remote_server.roles import names_dag

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from airflow_remote_server.auth import Principal
    from airflow_remote_server.catalogue.spec import Endpoint
    from airflow_remote_server.endpoints import Endpoints
    from airflow_remote_server.responses import Call
    from airflow_remote_server.roles import Permit


class WhoAmI:
    """Answers who asks.

    :param endpoints: all that can be asked for
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints

    def __call__(self, call: Call) -> Response:
        """The answer; with ``can=dags trigger my_dag`` also whether that would be let through."""
        query = Query(arguments.query(call.request))
        wanted = query.text("can")
        query.end()
        said = self.known(call.principal)
        if wanted is not None:
            said["can"] = self.can(call.principal.permit, wanted.split())
        return respond(said, 200)

    def known(self, principal: Principal) -> dict[str, Any]:
        """What is known of a principal.

        :raises Unavailable: when the commands cannot be read
        """
        permit = principal.permit
        commands = self.endpoints.live(permit).runnable
        return {
            "name": principal.name,
            "peer": principal.peer,
            "role": permit.role.name,
            "unrestricted": permit.unrestricted,
            "dags": None if permit.dags is None else list(permit.dags),
            "expires": None if principal.expires is None else moment(principal.expires.timestamp()),
            "commands": list(commands),
            "endpoints": [
                name for name, endpoint in self.endpoints.all.items() if not self.refusal(permit, endpoint)[1]
            ],
        }

    def can(self, permit: Permit, words: list[str]) -> dict[str, Any]:
        """Whether a command would be let through.

        :param permit: of who asks
        :param words: the command's, or a classic endpoint's name, and perhaps the id of a DAG
        :raises ApiError: when there is no such command
        """
        endpoint, rest = self.found(words)
        if len(rest) > 1 or (rest and not names_dag(endpoint.forms[0])):
            raise BadArguments(f"`{endpoint.name}` takes no {' '.join(rest)[:80]!r} here: give a DAG at most")
        layer, reason = self.refusal(permit, endpoint)
        if not reason and rest and not permit.reaches(rest[0]):
            layer, reason = "DAG", f"{rest[0][:80]!r} is not one of the token's DAGs"
        return {
            "command": endpoint.name,
            "dag_id": rest[0] if rest else None,
            "allowed": not reason,
            "layer": layer,
            "reason": reason,
        }

    def found(self, words: list[str]) -> tuple[Endpoint, list[str]]:
        """The command that words begin with, and the words behind it.

        :raises ApiError: when there is none
        """
        live = self.endpoints.live()
        for count in range(min(len(words), LONGEST), 0, -1):
            endpoint = live.endpoints.get(" ".join(words[:count]))
            if endpoint is not None:
                return endpoint, words[count:]
        try:
            endpoint = self.endpoints.find(words[0] if words else "")
            self.endpoints.refuse_absent(endpoint)
        except ApiError:
            return live.find(" ".join(words[:LONGEST])), []
        return endpoint, words[1:]

    def refusal(self, permit: Permit, endpoint: Endpoint) -> tuple[str, str]:
        """Which layer refuses an endpoint's first form, and why; two empty texts when none does."""
        if endpoint.absent:
            return "Airflow", endpoint.absent
        form = endpoint.forms[0]
        command = " ".join(form.command)
        layer, reason = permit.refusal(form, endpoint.name, self.endpoints.classic.get(command, ()))
        policy = self.endpoints.policy.reason(command, endpoint.name)
        return (layer, reason) if reason or not policy else ("policy", policy)


LONGEST = 4
"""Words of a command, and one more."""
