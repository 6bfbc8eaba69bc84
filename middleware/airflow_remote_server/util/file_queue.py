"""A queue of processes: a few proceed at the same time, and those that came first proceed first."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airflow_remote_server.util import locks
from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL_SECONDS = 0.02

ENTER_SECONDS = 1.0
"""How long a process waits for another that enters the queue and may be stopped."""

SUFFIX = ".lock"


class FileQueue:
    """A queue of the processes of one machine.

    Each process has a file, named by its time of arrival, which it locks. The kernel releases the lock if the
    process is killed.

    :param directory: the directory of the files; created if it is missing
    :param most: how many processes proceed at the same time
    """

    def __init__(self, directory: Path, most: int) -> None:
        self._directory = directory
        self._most = most

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Wait for a turn, which lasts until the end of the context.

        :param seconds: the maximum time to wait; a process proceeds then in any case, and if the files cannot
            be used
        """
        path, descriptor = self._directory, None
        with suppress(OSError):
            make_private_dir(self._directory)
            with locks.locked_directory(self._directory, ENTER_SECONDS):
                # One after the other, so that who comes later sees the locked files of all that came earlier.
                path /= f"{time.monotonic_ns():020d}-{os.getpid()}{SUFFIX}"
                descriptor = locks.acquire(path)
        if descriptor is None:
            yield
            return
        try:
            deadline = time.monotonic() + seconds
            while self._count_before(path.name) >= self._most and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            locks.release(descriptor)

    def _count_before(self, name: str) -> int:
        """Return how many processes came before one; delete the files of processes that have ended."""
        before = 0
        with suppress(OSError):
            for path in self._directory.glob(f"*{SUFFIX}"):
                if path.name >= name:
                    continue
                if locks.is_locked(path):
                    before += 1
                else:
                    path.unlink(missing_ok=True)
        return before
