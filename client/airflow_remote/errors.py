"""The exceptions of this package, each with the exit status of ``airflow-remote``.

A message is one line for the user: what happened and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from airflow_remote.models import Result


class RemoteError(Exception):
    """The base of all errors of this package.

    :param message: one line for the user
    """

    exit_status: ClassVar[ExitStatus] = ExitStatus.SERVER_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def append(self, text: str) -> None:
        """Append a text to the message.

        :param text: the rest of the line
        """
        self.message += text
        self.args = (self.message, *self.args[1:])


class UnusableError(RemoteError):
    """Raised before anything is sent, for an invalid URL, token, timeout, name or value."""

    exit_status = ExitStatus.USAGE


class UnsupportedNameError(RemoteError):
    """Raised before anything is sent, for a command that only other Airflow versions have."""

    exit_status = ExitStatus.UNSUPPORTED


class LocalFileError(RemoteError):
    """Raised when a local file or standard output cannot be read or written."""

    exit_status = ExitStatus.LOCAL_FILE


class ClosedPipeError(RemoteError):
    """Raised when the reader of standard output or standard error has exited."""

    exit_status = ExitStatus.CLOSED_PIPE


class UnreachableError(RemoteError):
    """Raised when there is no connection to the server."""

    exit_status = ExitStatus.UNREACHABLE


class LostError(UnreachableError):
    """Raised when a connection broke or timed out: the request may have been processed."""


class WatchTimeoutError(RemoteError):
    """Raised when a DAG run did not end within the time limit; it goes on."""

    exit_status = ExitStatus.TIMED_OUT


class NotTheApiError(RemoteError):
    """Raised when the response is not from the API: a login page, a proxy error, a redirect."""

    exit_status = ExitStatus.NOT_THE_API


class OutdatedServerError(NotTheApiError):
    """Raised when the server is too old to list its commands; classic commands work there."""


class GatewayError(NotTheApiError):
    """Raised when a proxy reports that the webserver behind it is down or slow."""


class AnsweredError(RemoteError):
    """The base of all errors reported by the API itself.

    :param message: one line for the user
    :param result: the parsed response
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class ArgumentsError(AnsweredError):
    """Raised when the endpoint or its arguments are wrong, and nothing was run (400, 404, 405, 413)."""

    exit_status = ExitStatus.USAGE


class RefusedError(AnsweredError):
    """Raised when the token is missing or wrong, or another rule forbids the request (401, 403)."""

    exit_status = ExitStatus.REFUSED


class BusyError(AnsweredError):
    """Raised when the server cannot run the command now (429, 503, 507)."""

    exit_status = ExitStatus.BUSY


class UnsupportedError(AnsweredError):
    """Raised when the server's Airflow lacks the command; the message names the closest one (501)."""

    exit_status = ExitStatus.UNSUPPORTED


class ServerError(AnsweredError):
    """Raised when the server failed because of a bug (500)."""

    exit_status = ExitStatus.SERVER_ERROR


class CommandFailedError(AnsweredError):
    """Raised when the command ran and failed (409, 422, and any response with an exit code).

    ``result.exit_code`` is None if the command was stopped, or conflicts with existing data.
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
    507: BusyError,
}


def for_http_status(status: int) -> type[AnsweredError]:
    """Return the exception class for an HTTP status.

    :param status: HTTP status of a response whose ``status`` field is ``ERROR``
    """
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 400:
        return CommandFailedError  # "ERROR" outweighs a status that claims success
    return ArgumentsError if status < 500 else ServerError
