"""Write files so that readers see either the old content or all of the new content."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PARTIAL = ".partial"
"""The suffix of temporary files. A process that is killed while it writes leaves one behind."""


def write_atomically(path: Path, data: str | bytes, mode: int = 0o600, sync: bool = False) -> None:
    """Write a file under a temporary name in the same directory, then rename it.

    :param path: the file to create or replace
    :param data: its content; text is encoded as UTF-8
    :param mode: its permissions, regardless of the umask
    :param sync: whether to flush the content to the disk before the rename, so that a power failure
        cannot leave an empty file
    :raises OSError: if the file cannot be written; the temporary file is removed and ``path`` is unchanged
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        # Without buffering: most files are small, and several are written for each command.
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            os.fchmod(descriptor, mode)
            rest = memoryview(data.encode() if isinstance(data, str) else data)
            while rest:
                rest = rest[file.write(rest) :]
            if sync:
                os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
