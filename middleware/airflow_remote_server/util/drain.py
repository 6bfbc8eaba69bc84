"""Whether the web server is draining: it runs its last commands, takes no new ones, and stops then."""

from __future__ import annotations

import mmap
import struct
import time

DEADLINE = struct.Struct("d")
SIZE = DEADLINE.size + 1
"""The deadline, and a byte that is 1 when the server has drained."""


class Drain:
    """The state of one web server, in memory that it shares with the processes that it forks afterward."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)

    def begin(self, seconds: float) -> None:
        """Begin to drain.

        :param seconds: how long the commands may take
        """
        DEADLINE.pack_into(self._memory, 0, time.monotonic() + seconds)  # the clock is that of the machine

    def end(self) -> None:
        """Note that the server has drained, so that it stops now."""
        self._memory[-1] = 1

    @property
    def holds(self) -> bool:
        """Return whether the server drains, and does not stop yet."""
        return self.active and not self.is_over and not self._memory[-1]

    @property
    def _deadline(self) -> float:
        """Return when the time of the commands is over, by ``time.monotonic``; 0 if it does not drain."""
        deadline: float = DEADLINE.unpack_from(self._memory)[0]
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
