"""Record why fork servers failed to start, and when the next one may be started.

A file beside the socket holds the record, so that all web workers share it.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, NamedTuple

from airflow_remote_server.util.atomic_files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

FIRST_SECONDS = 15.0
LONGEST_SECONDS = 900.0
"""Pause after the first failed start, and the longest pause. Each failure doubles it."""


class Failure(NamedTuple):
    """The last failed start.

    :param starts: number of failed starts in a row
    :param reason: the last log line of the fork server
    :param time: when it failed, in seconds since the epoch
    """

    starts: int
    reason: str
    time: float

    @property
    def next_start(self) -> float:
        """Return when the next fork server may be started, in seconds since the epoch."""
        return self.time + min(FIRST_SECONDS * 2.0 ** min(self.starts - 1, 20), LONGEST_SECONDS)


class StartFailures:
    """The failed starts of the fork servers of one configuration.

    :param path: the file that holds the record
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self) -> Failure | None:
        """Return the last failure since a fork server was ready; None if there is none."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Failure(**json.loads(self.path.read_text("utf-8")))
        return None

    def pending(self) -> Failure | None:
        """Return the failure whose pause is not over yet; None if a fork server may be started."""
        last = self.last()
        # If the clock was set back, the pause must not last forever.
        return last if last is not None and last.time <= time.time() < last.next_start else None

    def add(self, reason: str) -> Failure:
        """Record a failure and return it. If it cannot be written, other workers do not know it.

        :param reason: one line
        """
        last = self.last()
        failure = Failure(1 if last is None else last.starts + 1, reason[:1000], time.time())
        with contextlib.suppress(OSError):
            write_atomically(self.path, json.dumps(failure._asdict()))
        return failure

    def clear(self) -> None:
        """Remove the record: a fork server is ready."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
