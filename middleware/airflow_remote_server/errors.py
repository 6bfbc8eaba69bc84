"""Exceptions that carry their HTTP status.

Users see the messages: one line that says what happened and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """Base class of errors that become an error envelope.

    :param message: one line for the user
    :param headers: further response headers
    """

    status: ClassVar[int] = 500
    layer = ""
    """The rule that refused the request: ``token``, ``role``, ``DAG``, ``policy``, ...; "" if none did."""

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}

    @property
    def kind(self) -> str:
        """Return the ``error.type`` of the envelope."""
        return type(self).__name__


class BadArguments(ApiError):
    """Raised if the arguments of a request are invalid; nothing was run."""

    status = 400


class AuthenticationFailed(ApiError):
    """Raised if the token is missing or wrong, with the message of the 2016 plugin.

    :param reason: for the log; the client does not see it
    :param headers: further response headers
    """

    status = 403
    layer = "token"

    def __init__(self, reason: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__("Token Authentication Failed", headers)
        self.reason = reason


class Refused(ApiError):
    """Raised if a rule other than the token check forbids the request; the message names the rule.

    :param message: one line for the user
    :param headers: further response headers
    :param layer: the rule
    """

    status = 403

    def __init__(self, message: str, headers: dict[str, str] | None = None, layer: str = "") -> None:
        super().__init__(message, headers)
        self.layer = layer


class NotFound(ApiError):
    """Raised if an endpoint, DAG, task, run or job does not exist."""

    status = 404


class MethodNotAllowed(ApiError):
    """Raised if a route does not support the HTTP method."""

    status = 405


class Conflict(ApiError):
    """Raised if the object to create exists already, or is on another machine."""

    status = 409


class TooSlow(ApiError):
    """Raised if the body of a request does not arrive in time."""

    status = 408


class TooLarge(ApiError):
    """Raised if the body of a request exceeds a limit."""

    status = 413


class UnsupportedMediaType(ApiError):
    """Raised if the body of a request is compressed."""

    status = 415


class CommandFailed(ApiError):
    """Raised if a command ran and failed."""

    status = 422


class Busy(ApiError):
    """Raised if too many requests or commands are active; ``Retry-After`` says when to try again."""

    status = 429


class HeadersTooLarge(ApiError):
    """Raised if the headers of a request exceed the limit (RFC 6585)."""

    status = 431


class InternalError(ApiError):
    """Raised for a defect of the API; the webserver's log has the traceback."""

    status = 500


class NotInThisAirflow(ApiError):
    """Raised if the installed Airflow does not have a command; the message names the nearest one."""

    status = 501


class InsufficientStorage(ApiError):
    """Raised if the disk of the state directory is too full for new commands (RFC 4918)."""

    status = 507


class Unavailable(ApiError):
    """Raised if commands cannot run now, for example because the configuration cannot be read."""

    status = 503
