"""One command of a supervisor: its process, its limits, and how it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution.spool import CLAIMED, FILTER, JOB, PROCESS, STOPPING, STREAMS
from airflow_remote_server.util.locks import release, start_ticks
from airflow_remote_server.util.process_tree import descendants, kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.command import CommandLimits
    from airflow_remote_server.execution.spool import Spool


DRAIN_SECONDS = 10.0
"""How long to wait for the last output of a command that has ended, while a filter masks it."""


@dataclass
class SupervisedProcess:
    """One command.

    :param spool: its spool
    :param limits: the limits to enforce
    :param report_end: called with the content of ``exit.json`` at the end
    :param pid: process ID; 0 until the process is started
    :param slot: descriptor of the slot that the command occupies; None if it needs none
    :param ticks: start time of an adopted process (``locks.start_ticks``); "" for a child
    :param deadline: when its run time is over, by ``time.monotonic``
    :param reason: why it is being stopped; "" if it is not
    :param kill_at: when SIGTERM is followed by SIGKILL, by ``time.monotonic``
    :param killed: whether SIGKILL was sent to stop it
    :param end: the content of ``exit.json``
    :param descendants: known descendants of an adopted process, and the start time of each
    :param exit_code: exit code of a process that has ended; None if it is unknown
    :param restarted: whether it has been given another process, since the first one ended before the command
    :param found_dead: whether it had ended, unobserved, before this supervisor adopted it
    :param revivable: whether it may be started again: not after the machine or the container has started anew
    :param drained_by: when to stop waiting for its last output, by ``time.monotonic``
    """

    spool: Spool
    limits: CommandLimits
    report_end: Callable[[dict[str, Any]], None]
    pid: int = 0
    slot: int | None = None
    ticks: str = ""
    deadline: float = float("inf")
    reason: str = ""
    kill_at: float = float("inf")
    killed: bool = False
    end: dict[str, Any] = field(default_factory=dict)
    descendants: dict[int, str] = field(default_factory=dict)
    exit_code: int | None = None
    drained_by: float = float("inf")
    restarted: bool = False
    found_dead: bool = False
    revivable: bool = True

    @property
    def service(self) -> bool:
        """Return whether the command runs until it is stopped."""
        return self.limits.run_seconds is None

    @property
    def reusable(self) -> bool:
        """Return whether the command may run in a process that runs other commands."""
        return bool(self._job.get("reusable"))

    @property
    def over_output_limit(self) -> bool:
        """Return whether the command has written more than its limit."""
        return self.spool.total_bytes() > self.limits.output_bytes

    @property
    def is_alive(self) -> bool:
        """Return whether an adopted process still runs under its process ID."""
        return start_ticks(self.pid) == self.ticks

    @cached_property
    def _job(self) -> dict[str, Any]:
        job = self.spool.read(JOB)
        return job if isinstance(job, dict) else {}

    @property
    def daemon(self) -> bool:
        """Return whether the command is a service that Airflow itself puts into the background."""
        return bool(self._job.get("daemon"))

    @property
    def masked(self) -> bool:
        """Return whether an output filter may mask the output (``output_filter``)."""
        return bool(self._job.get("masked"))

    @property
    def filter_pids(self) -> set[int]:
        """Return the process ID of the output filter, if there is one that runs."""
        record = self.spool.read(FILTER) if self.masked else None
        if not isinstance(record, dict):
            return set()
        return {record["pid"]} if record["ticks"] and start_ticks(record["pid"]) == record["ticks"] else set()

    def may_restart(self) -> bool:
        """Return whether the process ended before it had begun the command. This is so only once."""
        is_untouched = self.spool.has(CLAIMED) and not self.spool.has(PROCESS)
        restarted, self.restarted = self.restarted, True
        return is_untouched and not restarted and not self.reason

    def renewed(self) -> SupervisedProcess:
        """Return the same command without a process."""
        return SupervisedProcess(self.spool, self.limits, self.report_end)

    def begin_drain(self, exit_code: int | None) -> SupervisedProcess:
        """Begin to wait for the last output of a process that has ended; return the command.

        :param exit_code: the exit code; None if it is unknown
        """
        self.exit_code = exit_code
        self.drained_by = time.monotonic() + DRAIN_SECONDS
        return self

    def is_drained(self) -> bool:
        """Return whether the output is complete. Kill a filter that takes too long.

        A process of another user, which cannot be killed, may keep the output open, and so may a daemon.
        """
        filters, is_late = self.filter_pids, time.monotonic() >= self.drained_by
        if is_late and not self.daemon:
            for pid in filters:
                kill(pid)
        return is_late or not filters

    def start_clock(self, seconds_run: float = 0.0) -> None:
        """Set the deadline of the run time.

        :param seconds_run: seconds that the command has run already
        """
        if self.limits.run_seconds is not None:
            self.deadline = time.monotonic() + self.limits.run_seconds - seconds_run

    def send_signal(self, number: int) -> None:
        """Send a signal to the command and to all descendants in its process group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # the process has not created its session yet
            if not self.ticks:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)
        except PermissionError:
            pass  # it runs as another user, as a task with run_as_user may

    def enforce_limits(self) -> None:
        """Stop the command if it is over a limit, or if a user asked for it."""
        if self.ticks:
            filters = self.filter_pids
            found = descendants(self.pid)
            self.descendants.update({pid: ticks for pid, ticks in found.items() if pid not in filters})
        request = self.spool.requested_stop()
        if request:
            self.stop("stopped", force=request == "force")
        elif self.reason:
            self.stop(self.reason, force=False)
        elif time.monotonic() >= self.deadline:
            self.stop("timed_out", force=False)
        if self.over_output_limit and self.service:
            self.truncate_output(0)  # a service goes on with empty files
        elif self.over_output_limit:
            self.stop("output", force=True)

    def truncate_output(self, size: int | None = None) -> None:
        """Truncate the output.

        :param size: bytes to keep of each stream; None for the limit
        """
        size = self.limits.output_bytes if size is None else size
        for stream in STREAMS:
            if self.spool.size(stream) > size:
                with contextlib.suppress(OSError):
                    os.truncate(self.spool.path / stream, size)

    def stop(self, reason: str, force: bool) -> None:
        """Send SIGTERM, once, and SIGKILL after the grace period.

        :param reason: as in ``exit.json``
        :param force: send SIGKILL at once
        """
        now = time.monotonic()
        if not self.reason:
            self.reason = reason
            self.kill_at = now + self.limits.grace_seconds
            if not force:
                self.terminate()
                until = time.time() + self.limits.grace_seconds
                with contextlib.suppress(OSError):
                    self.spool.write(STOPPING, {"reason": reason, "until": until})
        if force or now >= self.kill_at:
            self.killed = True
            self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM to the process group; but if it is a service, only to its own process.

        A service ends its processes in its own way: a scheduler or a Celery worker lets running tasks finish.
        """
        if not self.service:
            self.send_signal(signal.SIGTERM)
        elif not self.ticks or self.is_alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGTERM)

    def resume_stop(self) -> None:
        """Go on with a stop that another supervisor has begun: a second SIGTERM could hurry a service."""
        record = self.spool.read(STOPPING)
        with contextlib.suppress(KeyError, TypeError, ValueError):  # there is none, or it is damaged
            left = min(float(record["until"]) - time.time(), self.limits.grace_seconds)
            self.reason, self.kill_at = str(record["reason"]), time.monotonic() + left

    def release_slot(self) -> None:
        """Release the slot."""
        if self.slot is not None:
            release(self.slot)
        self.slot = None
