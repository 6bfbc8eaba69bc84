"""Build a copy of the DAGs folder that has the new file in place, and links to everything else.

There, a file can be parsed with everything that it imports or reads, before it is in the DAGs folder.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.deploy.target_file import TargetFile

UNLINKED = frozenset({"__pycache__"})
"""Is not linked, because it may hold bytecode of the file's former content."""


@contextmanager
def staged(target: TargetFile, content: bytes, stage: Path) -> Iterator[Path]:
    """Create a staging directory, and remove it at the end.

    :param target: where the file will be published
    :param content: its content
    :param stage: the directory to create
    :returns: the directory, which corresponds to the DAGs folder
    :raises OSError: if it cannot be written
    """
    stage.mkdir(0o700)
    try:
        real, linked = target.root.resolve(), stage
        for part in target.name.folders:
            _link_entries(real, linked, part)
            real, linked = real / part, linked / part
            linked.mkdir(0o700)
        _link_entries(real, linked, target.name.file)
        (linked / target.name.file).write_bytes(content)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _link_entries(real: Path, linked: Path, excluded: str) -> None:
    """Link all entries of a folder into another one, except one."""
    try:
        names = os.listdir(real)  # noqa: PTH208 - only names are needed
    except FileNotFoundError:
        return  # the new file will be the first in this folder
    for name in names:
        if name != excluded and name not in UNLINKED:
            (linked / name).symlink_to(real / name)
