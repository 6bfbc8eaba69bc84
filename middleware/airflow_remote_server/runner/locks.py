"""Locks that the system lets go of when their process is no more: keepers' signs of life, and slots.

They are ``flock`` locks: a forked child shares them, so it closes what is not its own (``keeper``).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

SOCKET = ".sock"

OLD_SECONDS = 24 * 3600.0
"""Younger lock files are left alone: their process may be about to take them."""


def take(path: Path, patience: float = 0.0) -> int | None:
    """Take a lock.

    :param path: the lock file; it is made when it is not there
    :param patience: seconds to try, since who looks whether a lock is taken has it for a moment
    :returns: the descriptor to close in the end; None when somebody has it
    :raises OSError: when the file cannot be made
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.01)
        else:
            return descriptor


def let_go(descriptor: int) -> None:
    """Give a lock back, also for forked processes that share it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def taken(path: Path) -> bool:
    """Whether somebody has a lock."""
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


def sweep(folder: Path) -> None:
    """Remove what processes that are no more have left beside their lock files: sockets, and all that is old.

    :param folder: of lock files, and of other files whose names differ in the suffix
    """
    for lock in folder.glob("*.lock"):
        with contextlib.suppress(OSError):
            old = time.time() > lock.stat().st_mtime + OLD_SECONDS
            if not old and not lock.with_suffix(SOCKET).exists():
                continue
            held = take(lock)  # so that nobody comes to use them meanwhile
            if held is None:
                continue
            try:
                for path in folder.glob(f"{lock.stem}.*"):
                    if old or path.suffix == SOCKET:
                        path.unlink()
            finally:
                let_go(held)


def start_ticks(pid: int) -> str:
    """When a process began, which with its id makes it the only one (proc(5), starttime).

    :returns: "" when it is no more or a zombie, and where there is no /proc
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] == "Z" else after_name[19]


class Slots:
    """As many locks as commands may run at once, for all keepers together.

    :param folder: where the lock files are
    :param most: how many there are
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self.most = most

    def take(self) -> int | None:
        """A free slot's descriptor; None when there is none."""
        for number in range(self.most):
            with contextlib.suppress(OSError):
                descriptor = take(self.folder / f"slot-{number}.lock")
                if descriptor is not None:
                    return descriptor
        return None
