"""Whether the web server is draining: it runs its last commands, takes no new ones, and stops then."""

from __future__ import annotations

import mmap
import struct
import time

DEADLINE = struct.Struct("d")


class Drain:
    """The state of one web server, in memory that it shares with the processes that it forks afterward."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, DEADLINE.size)

    def begin(self, seconds: float) -> None:
        """Begin to drain.

        :param seconds: how long the commands may take
        """
        self._memory[:] = DEADLINE.pack(time.monotonic() + seconds)  # the clock is that of the machine

    @property
    def _deadline(self) -> float:
        """Return when the time of the commands is over, by ``time.monotonic``; 0 if it does not drain."""
        deadline: float = DEADLINE.unpack(self._memory[:])[0]
        return deadline

    @property
    def active(self) -> bool:
        """Return whether the server drains or has drained."""
        return self._deadline > 0

    @property
    def is_over(self) -> bool:
        """Return whether the server drains and the time of the commands is over."""
        return 0 < self._deadline <= time.monotonic()


DRAIN = Drain()
"""The state of the server of this process. gunicorn's master creates it, so its workers share it."""
