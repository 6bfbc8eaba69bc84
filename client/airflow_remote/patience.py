"""When a request that came to nothing is sent again.

Nothing is run twice by that: a command carries an Idempotency-Key, by which the server knows it again and
answers with the first one's job; and all else only reads.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable

from airflow_remote.errors import BusyError, GatewayError, LostError, UnreachableError

if TYPE_CHECKING:
    from airflow_remote.errors import RemoteError

PAUSES = (0.5, 1.0, 2.0)
"""Seconds before each further attempt."""


class Patience:
    """How much is borne before giving up.

    A server that cannot be reached at all is given up at once. One that has been heard, or may have, is tried
    again: it may be restarting.

    :param say: gets a line for the user when something is tried again; once until the server is heard again
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._pauses = list(PAUSES)
        self._heard = False

    @property
    def tried(self) -> bool:
        """Whether something went wrong since the server was heard."""
        return len(self._pauses) < len(PAUSES)

    def heard(self) -> None:
        """Note that the server has answered."""
        self._heard = True
        self._pauses = list(PAUSES)

    def bear(self, error: RemoteError) -> None:
        """Pause, after something went wrong.

        :param error: what
        :raises RemoteError: that one, when it is not to be tried again
        """
        borne = (UnreachableError, GatewayError, BusyError) if self._heard else LostError
        if not (isinstance(error, borne) and self._pauses):
            raise error
        self._heard = True
        if not self.tried:
            self._say(f"{error.message}; trying again")
        time.sleep(self._pauses.pop(0))
