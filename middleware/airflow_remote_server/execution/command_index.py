"""The file that lists the commands of the installed Airflow, one for each configuration."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_remote_server.execution.cold_start import command_environment
from airflow_remote_server.util import locks
from airflow_remote_server.util.private_dirs import make_private_dir

DIRECTORY = "catalog"
"""Directory of the files, below the state directory."""


BUILD_SECONDS = 90.0
"""Time limit for importing and reading Airflow's parser."""


OLD_SECONDS = 7 * 24 * 3600.0
"""Age at which files of other fingerprints are removed."""


def index_path(state: Path, fingerprint: str) -> Path:
    """Return the path of the file of a configuration.

    :param state: the state directory
    :param fingerprint: fingerprint of the configuration
    """
    return state / DIRECTORY / f"{fingerprint}.json"


def read_index(path: Path) -> dict[str, Any]:
    """Return the content of a file.

    :raises OSError: if the file is missing
    :raises ValueError: if the file does not describe commands
    """
    index = json.loads(path.read_text("utf-8"))
    if not isinstance(index, dict) or not isinstance(index.get("commands"), list):
        raise ValueError(f"{path} does not describe commands")
    return index


def build_index(path: Path) -> None:
    """Write the file in a separate process, once for all processes that need it. Remove old files.

    :param path: the file
    :raises OSError: if the file cannot be written, or no process can be started
    :raises subprocess.SubprocessError: if Airflow's parser cannot be imported in time
    """
    make_private_dir(path.parent)
    lock = locks.acquire(path.with_suffix(".lock"), BUILD_SECONDS)
    try:
        if not path.exists():
            with path.with_suffix(".log").open("wb") as output:
                subprocess.run(
                    [sys.executable, "-m", "airflow_remote_server.integrations.command_tables", str(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=path.parent,
                    env=command_environment(),
                    timeout=BUILD_SECONDS,
                    check=True,
                )
        remove_old_indexes(path)
    finally:
        if lock is not None:
            locks.release(lock)


def write_index(state: Path, fingerprint: str) -> None:
    """Write the file in this process, which has imported Airflow's parser.

    :param state: the state directory
    :param fingerprint: fingerprint of the configuration
    :raises OSError: if the file cannot be written
    """
    from airflow_remote_server.integrations import command_tables

    path = index_path(state, fingerprint)
    make_private_dir(path.parent)
    command_tables.write_tables(path)
    remove_old_indexes(path)


def remove_old_indexes(current: Path) -> None:
    """Remove old files of other configurations.

    :param current: the file of the present configuration
    """
    for path in current.parent.iterdir():
        with suppress(OSError):
            if path.stem != current.stem and time.time() > path.stat().st_mtime + OLD_SECONDS:
                path.unlink()
