"""A folder that looks as the DAGs folder will, with the new file in its place; the rest are links.

So a file is parsed with what it imports, or reads beside it, and nothing of it is in the DAGs folder yet.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.dags.place import Place

UNLINKED = frozenset({"__pycache__"})
"""Not shown: Python would look there for what it has compiled of the former file."""


@contextmanager
def staged(place: Place, content: bytes, where: Path) -> Iterator[Path]:
    """Set the stage, and clear it away in the end.

    :param place: where the file will be
    :param content: the file's
    :param where: a folder that is not there yet
    :returns: the root of the stage
    :raises OSError: when it cannot be written
    """
    where.mkdir(0o700)
    try:
        real, shown = place.root.resolve(), where
        for part in place.name.folders:
            _link(real, shown, part)
            real, shown = real / part, shown / part
            shown.mkdir(0o700)
        _link(real, shown, place.name.file)
        (shown / place.name.file).write_bytes(content)
        yield where
    finally:
        shutil.rmtree(where, ignore_errors=True)


def _link(real: Path, shown: Path, but: str) -> None:
    """Show what is in a folder, but for one entry."""
    try:
        names = os.listdir(real)  # noqa: PTH208 - names are what is needed
    except FileNotFoundError:
        return  # a folder that the file will be the first in
    for name in names:
        if name != but and name not in UNLINKED:
            (shown / name).symlink_to(real / name)
