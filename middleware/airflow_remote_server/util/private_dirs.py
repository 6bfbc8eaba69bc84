"""Create directories and files that only the current user can access."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


def make_private_dir(directory: Path) -> Path:
    """Create a directory with mode 0700, or check that an existing one is private.

    :returns: the directory
    :raises OSError: if it cannot be created, or is not private
    """
    if not directory.parent.exists():
        make_private_dir(directory.parent)  # mkdir(parents=True) ignores the mode for parents
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(0, f"{directory} must be a directory with mode 0700 that belongs to this user")
    return directory


def create_private_file(path: Path) -> BinaryIO:
    """Create a file with mode 0600, and return it open for writing.

    :param path: a path where there is no file
    :raises OSError: if it cannot be created
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
