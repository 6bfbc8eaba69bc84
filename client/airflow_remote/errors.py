"""What can go wrong, as exceptions that know the exit status they end ``airflow-remote`` with.

Messages are one line, for people: what happened, and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from airflow_remote.client import Result


class RemoteError(Exception):
    """The base of all errors of this package.

    :param message: one line for the user
    """

    exit_status: ClassVar[ExitStatus] = ExitStatus.SERVER_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def add(self, more: str) -> None:
        """Say more.

        :param more: the rest of the line
        """
        self.message += more
        self.args = (self.message, *self.args[1:])


class UnusableError(RemoteError):
    """Raised before anything is sent, for a URL, token, time-out, name or value that cannot be used."""

    exit_status = ExitStatus.USAGE


class UnsupportedNameError(RemoteError):
    """Raised before anything is sent, for a command that another Airflow has, but not the server's."""

    exit_status = ExitStatus.UNSUPPORTED


class LocalFileError(RemoteError):
    """Raised when a file of this machine, or standard output, cannot be read or written."""

    exit_status = ExitStatus.LOCAL_FILE


class ClosedPipeError(RemoteError):
    """Raised when whoever read standard output or standard error has gone."""

    exit_status = ExitStatus.CLOSED_PIPE


class UnreachableError(RemoteError):
    """Raised when there is no connection to the server."""

    exit_status = ExitStatus.UNREACHABLE


class LostError(UnreachableError):
    """Raised when a connection broke off, or gave no sign in time: what was asked may have been done."""


class NotTheApiError(RemoteError):
    """Raised when something answered, but not as the API does: a login page, a proxy's error, a redirect."""

    exit_status = ExitStatus.NOT_THE_API


class GatewayError(NotTheApiError):
    """Raised when a proxy answers that the webserver behind it is down or slow."""


class AnsweredError(RemoteError):
    """The base of all errors that the API itself answered with.

    :param message: one line for the user
    :param result: the answer
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class ArgumentsError(AnsweredError):
    """Raised when the endpoint or its arguments are wrong, and nothing was run (400, 404, 405, 413)."""

    exit_status = ExitStatus.USAGE


class RefusedError(AnsweredError):
    """Raised when the token is missing or wrong, or another rule forbids it (401, 403)."""

    exit_status = ExitStatus.REFUSED


class BusyError(AnsweredError):
    """Raised when the server cannot run the command now (429, 503)."""

    exit_status = ExitStatus.BUSY


class UnsupportedError(AnsweredError):
    """Raised when the server's Airflow does not have the command; the message names the nearest (501)."""

    exit_status = ExitStatus.UNSUPPORTED


class ServerError(AnsweredError):
    """Raised when the server failed by a defect of its own (500)."""

    exit_status = ExitStatus.SERVER_ERROR


class CommandFailedError(AnsweredError):
    """Raised when the command ran and failed; ``result.exit_code`` is None when it was stopped, or is in
    conflict with what is there (409, 422, and whatever has an exit code).
    """

    exit_status = ExitStatus.FAILED


_BY_STATUS: dict[int, type[AnsweredError]] = {
    400: ArgumentsError,
    401: RefusedError,
    403: RefusedError,
    404: ArgumentsError,
    405: ArgumentsError,
    409: CommandFailedError,
    413: ArgumentsError,
    422: CommandFailedError,
    429: BusyError,
    501: UnsupportedError,
    503: BusyError,
}


def for_http_status(status: int) -> type[AnsweredError]:
    """The error that an HTTP status stands for.

    :param status: of an answer that says ``ERROR``
    """
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 400:
        return CommandFailedError  # "ERROR" outweighs a status that claims success
    return ArgumentsError if status < 500 else ServerError
