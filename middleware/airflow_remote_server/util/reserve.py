"""Disk space that is kept for the case that the disk is full, so that what frees space can be recorded."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "reserve"
"""The name of the file that occupies the space."""

RESERVE_BYTES = 4 << 20
STEP_BYTES = 1 << 20
"""The size of the reserve, and how much of it is freed at a time, since a running command may use it up."""


def free_bytes(directory: Path) -> int:
    """Return the free space of a directory's disk, in bytes.

    :raises OSError: if it cannot be determined
    """
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


class Reserve:
    """A file that occupies disk space until it is needed. Several processes may share it.

    :param directory: the directory of the file
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / NAME

    def fill(self, keep_free: int) -> None:
        """Occupy the space, unless too little would be free then. Raise nothing.

        :param keep_free: the space that must remain free, in bytes
        """
        with contextlib.suppress(OSError):
            size = self._size()
            missing = RESERVE_BYTES - size
            if missing <= 0 or free_bytes(self.directory) < missing + keep_free:
                return
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, size, missing)
            except OSError:
                os.ftruncate(descriptor, size)
            finally:
                os.close(descriptor)

    def shrink(self) -> bool:
        """Free a step of the space, and return whether there was any."""
        size = self._size()
        if not size:
            return False
        try:
            os.truncate(self.path, max(0, size - STEP_BYTES))
        except OSError:
            return False
        return True

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0
