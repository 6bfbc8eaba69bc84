"""How each kind of endpoint turns a validated request into a command line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from airflow_remote_server._version import __version__
from airflow_remote_server.catalog.argv import Values, build_argv, format_command
from airflow_remote_server.catalog.spec import Endpoint, Handler, Variant
from airflow_remote_server.deploy import requests
from airflow_remote_server.runs.reader import RunReader
from airflow_remote_server.runs.reading import Reading

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

    def read(self, request: ValidatedRequest) -> Reading | None:
        """Return what an endpoint answers that runs nothing; None if it runs something.

        :param request: the request
        :raises ApiError: if it cannot be answered
        """

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

    def read(self, request: ValidatedRequest) -> None:
        """Return None: it runs something."""

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

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def read(self, request: ValidatedRequest) -> None:
        """Return None: it runs something."""

    def title(self, request: ValidatedRequest, visible: Values) -> str:
        """Return the endpoint and the name of the DAG file.

        :raises BadArguments: if the arguments contradict each other
        :raises TooLarge: if the file is too large
        """
        return requests.make_title(request.endpoint.name, request.values, request.uploads, self.settings)

    def argv(self, request: ValidatedRequest, values: Values) -> list[str]:
        """Return the arguments of our own program."""
        return requests.make_argv(request.endpoint.name, values, request.uploads, self.settings)


class ReadingHandler(ABC):
    """Answer without running anything; the base class of handlers that do so."""

    @abstractmethod
    def read(self, request: ValidatedRequest) -> Reading:
        """Return what the endpoint answers.

        :param request: the request
        :raises ApiError: if it cannot be answered
        """

    def title(self, request: ValidatedRequest, visible: Values) -> str:
        """Return the endpoint's name and its arguments: no command line belongs to it."""
        given = " ".join(f"{name}={value}" for name, value in visible.items())
        return f"{request.endpoint.name} {given}".rstrip()

    def argv(self, request: ValidatedRequest, values: Values) -> list[str]:
        """Return no arguments: no command runs."""
        return []


class VersionHandler(ReadingHandler):
    """Return the version of this API."""

    def read(self, request: ValidatedRequest) -> Reading:
        """Return the version."""
        return Reading(__version__)


class RunHandler(ReadingHandler):
    """Read runs, their tasks and logs.

    :param settings: the configuration
    """

    def __init__(self, settings: Settings) -> None:
        self.reader = RunReader(settings)

    def read(self, request: ValidatedRequest) -> Reading:
        """Return what the endpoint reads.

        :param request: the request
        :raises ApiError: if it cannot be read
        """
        return self.reader.read(request.endpoint.name, request.values)


def make_handlers(settings: Settings) -> dict[Handler, EndpointHandler]:
    """Return the handler of each kind of endpoint.

    :param settings: the settings for deployments
    """
    return {
        Handler.COMMAND: CommandHandler(),
        Handler.DEPLOY: DeploymentHandler(settings),
        Handler.VERSION: VersionHandler(),
        Handler.READ: RunHandler(settings),
    }
