"""The servers that use fork servers: one file each, named by process ID and environment.

A fork server notices itself when its configuration changes. But a server with another environment that
replaces an old one uses another fork server; only these files tell the old one that no client is left.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airflow_remote_server.util.atomic_files import write_atomically
from airflow_remote_server.util.locks import start_ticks
from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = "servers"


def register_server(directory: Path, pid: int, environment: str) -> None:
    """Record that a server runs.

    :param directory: the directory of the fork servers
    :param pid: process ID of the server
    :param environment: digest of its environment (``fingerprint.environment_digest``)
    :raises OSError: if the record cannot be written
    """
    path = make_private_dir(directory / DIRECTORY) / f"{pid}-{environment}"
    write_atomically(path, start_ticks(pid))
    for other in path.parent.glob(f"{pid}-*"):  # of an earlier process with this ID, or another environment
        if other != path:
            other.unlink(missing_ok=True)


def is_registered(directory: Path, pid: int, environment: str) -> bool:
    """Return whether there is a record of a server. The directory may have been removed.

    :param directory: the directory of the fork servers
    :param pid: process ID of the server
    :param environment: digest of its environment
    """
    return (directory / DIRECTORY / f"{pid}-{environment}").exists()


def any_server_runs(directory: Path, environment: str) -> bool:
    """Return whether a server of an environment runs. Remove the records of servers that have ended.

    :param directory: the directory of the fork servers
    :param environment: digest of the environment
    """
    running = False
    with contextlib.suppress(OSError):
        for entry in (directory / DIRECTORY).iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid, _, digest = entry.name.partition("-")
                ticks = start_ticks(int(pid))
                if not ticks or ticks != entry.read_text("ascii"):
                    entry.unlink()
                elif digest == environment:
                    running = True
    return running
