"""Limit how much of a server waits: the threads of a process, or processes that serve one request each."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from airflow_remote_server.util import locks
from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def waiting_share(total: int) -> int:
    """Return how many of a number of threads or processes may wait: three quarters, and never all.

    :param total: the number; a single one may wait, since it could not do anything else meanwhile
    """
    return max(1, min(total * 3 // 4, total - 1))


class ThreadSlots:
    """Slots for the threads of this process.

    :param most: the number of slots
    """

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)

    def take(self) -> Callable[[], None] | None:
        """Take a slot; return the function that releases it, or None if no slot is free."""
        return self._free.release if self._free.acquire(blocking=False) else None


class ProcessSlots:
    """Slots for the processes of a server, which are children of one process.

    The slots are file locks, which the kernel releases if a process is killed.

    :param directory: the directory of the lock files; created if it is missing
    :param most: the number of slots
    :param prefix: distinguishes slots of several kinds
    """

    def __init__(self, directory: Path, most: int, prefix: str = "") -> None:
        self._directory = directory
        self._most = most
        self._prefix = prefix
        self._prepared = False

    def take(self) -> Callable[[], None] | None:
        """Take a slot; return the function that releases it, or None if no slot is free.

        :raises OSError: if the lock files cannot be created
        """
        if not self._prepared:
            locks.remove_stale_files(make_private_dir(self._directory))
            self._prepared = True
        server = os.getppid()
        for number in range(self._most):
            descriptor = locks.acquire(self._directory / f"{self._prefix}{server}-{number}.lock")
            if descriptor is not None:
                return partial(_release, descriptor)
        return None


def _release(descriptor: int) -> None:
    with suppress(OSError):
        locks.release(descriptor)
