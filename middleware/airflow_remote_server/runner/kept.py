"""One command of a keeper's: its process, its limits, and how it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_remote_server.runner.locks import let_go, start_ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.runner.folder import Folder, Limits


@dataclass
class Kept:
    """One command.

    :param folder: its folder
    :param limits: what it is held to
    :param tell: called with the end
    :param ticks: of an adopted command: when its process began (``locks.start_ticks``)
    """

    folder: Folder
    limits: Limits
    tell: Callable[[dict[str, Any]], None]
    pid: int = 0
    slot: int | None = None
    ticks: str = ""
    deadline: float = float("inf")
    reason: str = ""
    kill_at: float = float("inf")
    end: dict[str, Any] = field(default_factory=dict)

    def signal(self, number: int) -> None:
        """Send a signal to the command and all its descendants that stayed in its process group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # it has not made its session yet
            if not self.ticks:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)
        except PermissionError:
            pass  # it runs as another user, as a task with run_as_user may

    def stop(self, reason: str, force: bool) -> None:
        """Begin to stop it: SIGTERM, then SIGKILL; or SIGKILL at once."""
        now = time.monotonic()
        if not self.reason:
            self.reason = reason
            self.kill_at = now + self.limits.grace_seconds
            if not force:
                self.signal(signal.SIGTERM)
        if force or now >= self.kill_at:
            self.signal(signal.SIGKILL)

    def free(self) -> None:
        """Give its slot back."""
        if self.slot is not None:
            let_go(self.slot)
        self.slot = None

    @property
    def lives(self) -> bool:
        """Whether the process of an adopted command is still that one."""
        return start_ticks(self.pid) == self.ticks
