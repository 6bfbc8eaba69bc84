"""Create directories that only the current user can access."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
