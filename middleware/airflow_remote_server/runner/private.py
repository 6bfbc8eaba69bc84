"""Folders that are one user's alone."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def private(folder: Path) -> Path:
    """Make a folder that is this user's alone, or see that it is.

    :returns: the folder
    :raises OSError: when it cannot be
    """
    if not folder.parent.exists():
        private(folder.parent)  # mkdir's own way with parents would leave them open
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(0, f"{folder} must be a folder of this user's, with mode 0700")
    return folder
