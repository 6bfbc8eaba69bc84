"""The plan of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.http.handlers import EndpointHandler, ValidatedRequest


@dataclass(frozen=True)
class Plan:
    """A validated request and how to carry it out.

    :param request: the validated request
    :param handler: the handler of its kind of endpoint
    :param title: the command line as it may be shown
    :param arguments: the arguments as they may be shown
    """

    request: ValidatedRequest
    handler: EndpointHandler
    title: str
    arguments: dict[str, Any]

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields of every reply."""
        return {"airflow_cmd": self.title, "arguments": self.arguments}

    def names(self, classic: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Return the names of a command of Airflow; none for our own programs, which work on this machine.

        :param classic: the names of the classic endpoints that become a command, by its words
        """
        command = " ".join(self.request.variant.command)
        names = (command, self.request.endpoint.name, *classic.get(command, ()))
        return names if self.request.variant.program == "airflow" else ()
