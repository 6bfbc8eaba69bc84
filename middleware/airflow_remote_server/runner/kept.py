"""One command of a keeper's: its process, its limits, and how it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_remote_server.runner.folder import STREAMS
from airflow_remote_server.runner.locks import let_go, start_ticks
from airflow_remote_server.runner.offspring import descendants

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
    :param daemon: whether it was asked to go on in the background, by Airflow's own means
    """

    folder: Folder
    limits: Limits
    tell: Callable[[dict[str, Any]], None]
    pid: int = 0
    slot: int | None = None
    ticks: str = ""
    daemon: bool = False
    deadline: float = float("inf")
    reason: str = ""
    kill_at: float = float("inf")
    end: dict[str, Any] = field(default_factory=dict)
    descendants: dict[int, str] = field(default_factory=dict)
    """Of an adopted command: those that were seen, with when they began."""

    @property
    def service(self) -> bool:
        """Whether it runs until it is stopped."""
        return self.limits.run_seconds is None

    def set_deadline(self, ran: float = 0.0) -> None:
        """Let it run as long as it may.

        :param ran: seconds that it has run already
        """
        if self.limits.run_seconds is not None:
            self.deadline = time.monotonic() + self.limits.run_seconds - ran

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

    def hold(self) -> None:
        """Hold it to its limits, and stop it when that was asked for; see what has come of an adopted one."""
        if self.ticks:
            self.descendants.update(descendants(self.pid))
        wanted = self.folder.stop_wanted()
        if wanted:
            self.stop("stopped", wanted == "force")
        elif self.reason:
            self.stop(self.reason, force=False)
        elif time.monotonic() >= self.deadline:
            self.stop("timed_out", force=False)
        if self.over and self.service:
            self.cut(0)  # it goes on, and begins a new page
        elif self.over:
            self.stop("output", force=True)

    @property
    def over(self) -> bool:
        """Whether it has written more than it may."""
        return self.folder.written() > self.limits.output_bytes

    def cut(self, size: int | None = None) -> None:
        """Cut off what it has printed.

        :param size: bytes to leave of each stream; None for as many as are allowed
        """
        size = self.limits.output_bytes if size is None else size
        for stream in STREAMS:
            if self.folder.size(stream) > size:
                with contextlib.suppress(OSError):
                    os.truncate(self.folder.path / stream, size)

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
