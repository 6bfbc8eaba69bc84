"""Start services again that have failed, as systemd does with ``Restart=on-failure``.

The supervisor of a service does this, so that it depends on no web worker. The file ``restarts`` of the spool
says when the service is started again, so that a supervisor that adopts it goes on where the last one ended.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.execution.spool import CLAIMED, KEPT, PROCESS, RESTARTS, RESULT, STDERR
from airflow_remote_server.util.locks import start_ticks

if TYPE_CHECKING:
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.execution.supervised_process import SupervisedProcess

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds before a service is started again; the delay doubles each time."""

STEADY_SECONDS = 300.0
"""After it has run for so long, a service that fails is started again after the first delay."""

INTERVAL_SECONDS = 600.0
"""The time within which the number of restarts is limited, in seconds."""

CLEAN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)
"""Signals that end a service as somebody wanted; the same ones as systemd has."""

USAGE_ERROR = 2
"""The exit code of wrong arguments: they would be wrong again."""

NO_FAILURES = frozenset(
    (0, USAGE_ERROR, *(-number for number in CLEAN_SIGNALS), *(128 + number for number in CLEAN_SIGNALS))
)
"""The exit codes after which a service is not started again."""


@dataclass(frozen=True)
class Restarts:
    """How often a service was started again: the content of the file ``restarts``.

    :param limit: how often it may be started again within ``INTERVAL_SECONDS``
    :param count: how often it has been started again
    :param recent: when that was, within this time, in seconds since the epoch
    :param delay: the last delay, in seconds
    :param next: when it is started again, in seconds since the epoch; None if it is not waiting for that
    :param exit_code: the exit code of its last failure; None if there was none, or it is unknown
    :param exhausted: whether it is not started again because of the limit
    :param boot: the boot on which it waits (``boot_identity``)
    """

    limit: int
    count: int = 0
    recent: tuple[float, ...] = ()
    delay: float = 0.0
    next: float | None = None
    exit_code: int | None = None
    exhausted: bool = False
    boot: str = ""

    @classmethod
    def read(cls, spool: Spool) -> Restarts | None:
        """Return what a spool records; None if its command is not started again, or the file is damaged."""
        record = spool.read(RESTARTS) if spool.has(RESTARTS) else None
        try:
            return None if record is None else cls(**{**record, "recent": tuple(record["recent"])})
        except (TypeError, KeyError):
            return None

    def write(self, spool: Spool) -> None:
        """Record this in a spool.

        :raises OSError: if that is not possible
        """
        spool.write(RESTARTS, asdict(self))

    def after_failure(self, exit_code: int | None, seconds_run: float, now: float) -> Restarts:
        """Return when the service is to be started again after it has failed, if at all.

        :param exit_code: its exit code; None if it is unknown
        :param seconds_run: for how long it had run
        :param now: the present, in seconds since the epoch
        """
        recent = tuple(moment for moment in self.recent if now - INTERVAL_SECONDS < moment <= now)
        failed = replace(self, recent=recent, exit_code=exit_code, boot=boot_identity())
        if len(recent) >= self.limit:
            return replace(failed, next=None, exhausted=True)
        is_steady = seconds_run >= STEADY_SECONDS or not self.delay
        delay = FIRST_DELAY if is_steady else min(2 * self.delay, LONGEST_DELAY)
        return replace(failed, delay=delay, next=now + delay)

    def after_restart(self, now: float) -> Restarts:
        """Return the record of a service that is being started again.

        :param now: the present, in seconds since the epoch
        """
        return replace(self, count=self.count + 1, recent=(*self.recent, now), next=None)


@cache
def boot_identity() -> str:
    """Return a text that differs after each start of this machine or container; "" without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
    return f"{boot}-{start_ticks(1)}"


def describe_exit(exit_code: int | None) -> str:
    """Return how a service ended, as the end of a sentence about it."""
    if exit_code is None:
        return "ended, and nobody knows how"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"was ended by signal {-exit_code}"


class RestartQueue:
    """The services of one supervisor that wait to be started again."""

    def __init__(self) -> None:
        self.waiting: list[tuple[SupervisedProcess, float]] = []

    def add(self, process: SupervisedProcess, exit_code: int | None) -> bool:
        """Let a service be started again that has ended, if it has failed and this is wanted.

        :param process: the service
        :param exit_code: its exit code; None if it is unknown
        :returns: whether it will be started again
        """
        spool = process.spool
        record = Restarts.read(spool)
        if record is None or process.reason not in ("", "lost") or spool.requested_stop():
            return False
        if exit_code in NO_FAILURES or not process.revivable or not spool.has(KEPT):
            return False
        now = time.time()
        began = spool.read(PROCESS)
        seconds_run = now - float(began["began"]) if isinstance(began, dict) else 0.0
        record = record.after_failure(exit_code, seconds_run, now)
        try:
            record.write(spool)
        except OSError:
            return False
        if record.next is None:
            return False
        (spool.path / RESULT).unlink(missing_ok=True)  # of this process, not of the next one
        self._announce(spool, record)
        self.waiting.append((process, record.next))
        return True

    def adopt(self, process: SupervisedProcess) -> bool:
        """Take over a service that waits to be started again.

        :param process: the service, whose supervisor is gone
        :returns: whether it waits
        """
        record = Restarts.read(process.spool)
        if record is None or record.next is None or not process.revivable:
            return False
        self.waiting.append((process, record.next))
        return True

    def take_due(self) -> list[SupervisedProcess]:
        """Return the services that are to be started now; their commands have been claimed."""
        due, now = [], time.time()
        waiting, self.waiting = self.waiting, []
        for process, moment in waiting:
            # A clock that was set back must not make a service wait forever.
            if moment - LONGEST_DELAY <= now < moment:
                self.waiting.append((process, moment))
                continue
            try:
                self._arm(process.spool, now)
            except OSError:
                if process.spool.path.exists():  # the disk is full
                    self.waiting.append((process, now + FIRST_DELAY))
            else:
                due.append(process.renewed())
        return due

    def take_stopped(self) -> list[SupervisedProcess]:
        """Return the services that a user wants to stop."""
        stopped = [process for process, _ in self.waiting if process.spool.requested_stop()]
        self.waiting = [entry for entry in self.waiting if entry[0] not in stopped]
        for process in stopped:
            record = Restarts.read(process.spool)
            if record is not None:
                with suppress(OSError):
                    replace(record, next=None).write(process.spool)
        return stopped

    def _arm(self, spool: Spool, now: float) -> None:
        """Make a spool look as if its command had just been claimed.

        The process is forgotten last: until then, an adopting supervisor sees that it has ended.

        :raises OSError: if a file cannot be written
        """
        record = Restarts.read(spool)
        (spool.path / RESULT).unlink(missing_ok=True)
        spool.write(CLAIMED, spool.read(KEPT))
        if record is not None:
            record.after_restart(now).write(spool)
        (spool.path / PROCESS).unlink(missing_ok=True)

    def _announce(self, spool: Spool, record: Restarts) -> None:
        """Say in the log of a service that it is started again."""
        text = (
            f"airflow-remote: the service {describe_exit(record.exit_code)}; "
            f"it is started again in {record.delay:g} s\n"
        )
        with suppress(OSError):
            descriptor = os.open(spool.path / STDERR, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)
