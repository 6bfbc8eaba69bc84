"""Treat SIGTERM and SIGHUP like Ctrl-C: a command that is ended from outside is stopped on the server too.

``timeout``, CI systems and service managers send SIGTERM. A terminal that is closed sends SIGHUP.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any

from airflow_remote.exit_status import SIGNALS, ExitStatus

if TYPE_CHECKING:
    from types import FrameType

NAMES = ("SIGTERM", "SIGHUP")
"""Windows has no SIGHUP."""


class Interrupts:
    """Raise ``KeyboardInterrupt`` for each of these signals within the block.

    A signal that is ignored, as under ``nohup``, or has a handler stays as it is.
    """

    def __init__(self) -> None:
        self.exit_status: int = ExitStatus.INTERRUPTED
        """The exit status for the signal that came; for Ctrl-C if none came."""
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                with contextlib.suppress(ValueError):  # not in the main thread, which alone gets signals
                    self._previous[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.exit_status = SIGNALS + number
        raise KeyboardInterrupt
