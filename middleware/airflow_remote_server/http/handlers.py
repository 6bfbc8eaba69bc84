"""How each kind of endpoint turns a validated request into a command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from airflow_remote_server._version import __version__
from airflow_remote_server.catalog.argv import Values, build_argv, format_command
from airflow_remote_server.catalog.spec import Endpoint, Handler, Variant
from airflow_remote_server.deploy import requests

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage

    from airflow_remote_server.config.settings import Settings


@dataclass(frozen=True)
class ValidatedRequest:
    """A request whose arguments are valid.

    :param endpoint: the requested endpoint
    :param variant: the command that it becomes
    :param values: by argument name
    :param uploads: files by argument name
    :param preview: whether to end the command when it asks for confirmation
    """

    endpoint: Endpoint
    variant: Variant
    values: Values
    uploads: dict[str, FileStorage]
    preview: bool = False


class EndpointHandler(Protocol):
    """The interface of a kind of endpoint, for planning."""

    output: str | None
    """The whole output, for an endpoint that runs nothing; otherwise None."""

    def title(self, request: ValidatedRequest, visible: Values) -> str:
        """Return the command line as it may be shown.

        :param request: the request
        :param visible: its values, secrets masked
        :raises ApiError: if the request cannot be carried out
        """

    def argv(self, request: ValidatedRequest, values: Values) -> list[str]:
        """Return the arguments of the program to run.

        :param request: the request
        :param values: its values, with the paths of uploads and of files to write
        """


class CommandHandler:
    """Run the command of an endpoint."""

    output: str | None = None

    def title(self, request: ValidatedRequest, visible: Values) -> str:
        """Return the command line, quoted for a shell."""
        return format_command(request.variant, visible)

    def argv(self, request: ValidatedRequest, values: Values) -> list[str]:
        """Return the command's arguments."""
        return build_argv(request.variant, values)


class DeploymentHandler:
    """Deploy, remove or roll back a DAG file.

    :param settings: where DAG files may go, and their limits
    """

    output: str | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def title(self, request: ValidatedRequest, visible: Values) -> str:
        """Return the endpoint and the name of the DAG file.

        :raises BadArguments: if the arguments contradict each other
        :raises TooLarge: if the file is too large
        """
        return requests.make_title(request.endpoint.name, request.values, request.uploads, self.settings)

    def argv(self, request: ValidatedRequest, values: Values) -> list[str]:
        """Return the arguments of our own program."""
        return requests.make_argv(request.endpoint.name, values, request.uploads, self.settings)


class VersionHandler:
    """Return the version of this API without running a command."""

    output: str | None = __version__

    def title(self, request: ValidatedRequest, visible: Values) -> str:
        """Return the endpoint's name: no command line belongs to it."""
        return request.endpoint.name

    def argv(self, request: ValidatedRequest, values: Values) -> list[str]:
        """Return no arguments: no command runs."""
        return []


def make_handlers(settings: Settings) -> dict[Handler, EndpointHandler]:
    """Return the handler of each kind of endpoint.

    :param settings: the settings for deployments
    """
    return {
        Handler.COMMAND: CommandHandler(),
        Handler.DEPLOY: DeploymentHandler(settings),
        Handler.VERSION: VersionHandler(),
    }
