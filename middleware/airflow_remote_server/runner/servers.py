"""The servers that use warm hosts: a file each, named by process and environment, for every host to see.

A host whose configuration has changed sees that itself. But a server with another environment, started in
the place of one that is gone, uses another host; only by these files the former one finds that nobody will
come any more.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from airflow_remote_server.runner.locks import start_ticks
from airflow_remote_server.runner.private import private

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "servers"


def register(folder: Path, pid: int, environment: str) -> None:
    """Note that a server lives.

    :param folder: of the hosts
    :param pid: its process
    :param environment: the digest of its environment (``fingerprint.environment_digest``)
    :raises OSError: when that cannot be written
    """
    path = private(folder / FOLDER) / f"{pid}-{environment}"
    partial = path.with_name(f".{path.name}.{threading.get_ident()}")
    partial.write_text(start_ticks(pid), "ascii")
    partial.replace(path)
    for other in path.parent.glob(f"{pid}-*"):  # of another process once, or before a change
        if other != path:
            other.unlink(missing_ok=True)


def any_lives(folder: Path, environment: str) -> bool:
    """Whether one of the servers of an environment lives; the files of those that do not are removed.

    :param folder: of the hosts
    :param environment: the digest of the environment
    """
    living = False
    with contextlib.suppress(OSError):
        for entry in (folder / FOLDER).iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid, _, digest = entry.name.partition("-")
                ticks = start_ticks(int(pid))
                if not ticks or ticks != entry.read_text("ascii"):
                    entry.unlink()
                elif digest == environment:
                    living = True
    return living
