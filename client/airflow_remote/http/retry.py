"""Decide when a failed request is sent again.

Nothing runs twice: a command carries an Idempotency-Key, by which the server recognizes a repeated request
and responds with the first one's job. All other retried requests only read.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable

from airflow_remote.errors import BusyError, GatewayError, LostError, UnreachableError

if TYPE_CHECKING:
    from airflow_remote.errors import RemoteError

PAUSES = (0.5, 1.0, 2.0)
"""Seconds to wait before each retry."""


class RetryPolicy:
    """When to send a request again, and when to give up.

    If the server was never reached, there is no retry. A server that has responded, or may have received a
    request, is tried again: it may be restarting.

    :param notify: receives a line for the user before the first retry in a row
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._pauses = list(PAUSES)
        self._reached = False

    @property
    def retrying(self) -> bool:
        """Return whether a request failed since the last response."""
        return len(self._pauses) < len(PAUSES)

    def reset(self) -> None:
        """Record that the server has responded."""
        self._reached = True
        self._pauses = list(PAUSES)

    def pause_or_raise(self, error: RemoteError) -> None:
        """Wait before a retry.

        :param error: the failure
        :raises RemoteError: the same error, if the request is not to be sent again
        """
        retried = (UnreachableError, GatewayError, BusyError) if self._reached else LostError
        if not (isinstance(error, retried) and self._pauses):
            raise error
        self._reached = True
        if not self.retrying:
            self._notify(f"{error.message}; trying again")
        time.sleep(self._pauses.pop(0))
