"""What the API refuses or cannot do, as exceptions that know their HTTP answer.

Messages are shown to users: one line that says what happened and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """The base of all that is answered with an error envelope.

    :param message: one line for the user
    :param headers: further response headers
    """

    status: ClassVar[int] = 500
    layer = ""
    """What refused the request: ``token``, ``role``, ``DAG``, ``policy``, ...; "" when nothing did."""

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}

    @property
    def kind(self) -> str:
        """The ``error.type`` of the envelope."""
        return type(self).__name__


class BadArguments(ApiError):
    """Raised when a request's arguments cannot be accepted; nothing has been done."""

    status = 400


class AuthenticationFailed(ApiError):
    """Raised when the token is missing or wrong. The seed's message, and no more.

    :param reason: for the log; who asks is not told
    """

    status = 403
    layer = "token"

    def __init__(self, reason: str = "") -> None:
        super().__init__("Token Authentication Failed")
        self.reason = reason


class Refused(ApiError):
    """Raised when a rule other than the token forbids the request; the message says which.

    :param message: one line for the user
    :param headers: further response headers
    :param layer: the rule
    """

    status = 403

    def __init__(self, message: str, headers: dict[str, str] | None = None, layer: str = "") -> None:
        super().__init__(message, headers)
        self.layer = layer


class NotFound(ApiError):
    """Raised for an endpoint, DAG, task, run, ... that does not exist."""

    status = 404


class MethodNotAllowed(ApiError):
    """Raised for an HTTP method that a route does not have."""

    status = 405


class Conflict(ApiError):
    """Raised when what is to be made is there already."""

    status = 409


class TooSlow(ApiError):
    """Raised when the body of a request does not come in time."""

    status = 408


class TooLarge(ApiError):
    """Raised when a request's body is over the limit."""

    status = 413


class CommandFailed(ApiError):
    """Raised when a command ran and failed for a reason of its own."""

    status = 422


class Busy(ApiError):
    """Raised when as many commands run and wait as may; ``Retry-After`` says when to try again."""

    status = 429


class HeadersTooLarge(ApiError):
    """Raised when the headers of a request are over the limit (RFC 6585)."""

    status = 431


class InternalError(ApiError):
    """Raised for a defect of ours; the webserver's log has the traceback."""

    status = 500


class NotInThisAirflow(ApiError):
    """Raised for a command that the installed Airflow does not have; the message names the nearest."""

    status = 501


class Unavailable(ApiError):
    """Raised when commands cannot be run now, as with a configuration that cannot be read."""

    status = 503
