"""File locks that the kernel releases when their process ends: supervisors' liveness, and command slots.

They are ``flock`` locks. A forked child shares them, so it closes the descriptors of its parent
(``execution.supervisor``).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKET = ".sock"

STALE_SECONDS = 24 * 3600.0
"""Younger lock files are kept: a process may be about to lock them."""


def acquire(path: Path, timeout: float = 0.0) -> int | None:
    """Acquire a lock.

    :param path: the lock file, created if it is missing
    :param timeout: seconds to keep trying; ``is_locked`` in another process holds the lock for a moment
    :returns: the descriptor, to be closed in the end; None if another process holds the lock
    :raises OSError: if the file cannot be created
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if _keep_trying(descriptor, timeout):
        return descriptor
    os.close(descriptor)
    return None


def _keep_trying(descriptor: int, timeout: float) -> bool:
    """Lock a file, and return whether that succeeded in time."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def release(descriptor: int) -> None:
    """Release a lock, also for forked processes that share it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextlib.contextmanager
def locked_directory(directory: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a directory itself until the end of the context; no file is created.

    :param directory: an existing directory
    :param timeout: seconds to wait for the lock; the context is entered then in any case
    :raises OSError: if the directory cannot be opened
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _keep_trying(descriptor, timeout)
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def remove_stale_files(directory: Path) -> None:
    """Remove the sockets of processes that have ended, and all old files beside their lock files.

    :param directory: holds lock files, and files of the same name with other suffixes
    """
    for lock in directory.glob("*.lock"):
        with contextlib.suppress(OSError):
            old = time.time() > lock.stat().st_mtime + STALE_SECONDS
            if not old and not lock.with_suffix(SOCKET).exists():
                continue
            descriptor = acquire(lock)  # keeps other processes from using the files meanwhile
            if descriptor is None:
                continue
            try:
                for path in directory.glob(f"{lock.stem}.*"):
                    if old or path.suffix == SOCKET:
                        path.unlink()
            finally:
                release(descriptor)


def start_ticks(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; with its ID, this identifies the process.

    See ``starttime`` in proc(5).

    :returns: "" if the process has ended or is a zombie, and on systems without /proc
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] == "Z" else after_name[19]


class CommandSlots:
    """The locks that limit how many commands run at once, shared by all supervisors.

    :param directory: the directory of the lock files
    :param most: the number of slots
    """

    def __init__(self, directory: Path, most: int) -> None:
        self.directory = directory
        self.most = most

    def acquire(self) -> int | None:
        """Return the descriptor of a free slot; None if all slots are taken.

        If the directory was removed, it is created again.
        """
        with contextlib.suppress(OSError):
            make_private_dir(self.directory)
        for number in range(self.most):
            with contextlib.suppress(OSError):
                descriptor = acquire(self.directory / f"slot-{number}.lock")
                if descriptor is not None:
                    return descriptor
        return None
