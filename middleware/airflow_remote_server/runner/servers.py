"""The servers that use a warm host: a file each, named by the process, which every host can find."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airflow_remote_server.runner.locks import start_ticks
from airflow_remote_server.runner.private import private

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "servers"


def register(folder: Path, pid: int) -> None:
    """Note that a server lives.

    :param folder: of the hosts
    :param pid: its process
    :raises OSError: when that cannot be written
    """
    path = private(folder / FOLDER) / str(pid)
    partial = path.with_suffix(".partial")
    partial.write_text(start_ticks(pid), "ascii")
    partial.replace(path)


def any_lives(folder: Path) -> bool:
    """Whether one of the servers lives; the files of others are removed.

    :param folder: of the hosts
    """
    living = False
    with contextlib.suppress(OSError):
        for entry in (folder / FOLDER).iterdir():
            with contextlib.suppress(OSError, ValueError):
                ticks = start_ticks(int(entry.name))
                if ticks and ticks == entry.read_text("ascii"):
                    living = True
                else:
                    entry.unlink()
    return living
