"""The fingerprint of a configuration: a fork server with another fingerprint is outdated.

It covers airflow.cfg, the environment variables that configure Airflow or Python, the installed packages, the
plugins folder and ``airflow_local_settings.py``. Files count by name, modification time and size.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIXES = ("AIRFLOW_", "AIRFLOW__", "PYTHON", "LANG", "LC_", "TZ", "VIRTUAL_ENV")
# Ignored: variables of a server, and those that each command gets (cold_start.command_environment).
NOT_CONFIGURATION = frozenset({"AIRFLOW_API_APPS", "PYTHONUTF8"})
MAX_FILES = 5000
"""The number of files of the plugins folder that are examined; a new file changes the folder's time."""


def fingerprint(config_file: Path, plugins_folder: Path, local_settings: Path) -> str:
    """Return the fingerprint of everything that a fork server keeps in memory.

    :param config_file: airflow.cfg
    :param plugins_folder: Airflow's plugins folder
    :param local_settings: the directory that may contain airflow_local_settings.py
    :returns: 16 hexadecimal digits
    """
    # A socket is useless on another machine, which may share its directory.
    digest = hashlib.sha256(f"{socket.gethostname()} {sys.version}".encode())
    for line in (
        *_environment(),
        *_stamps([config_file, local_settings / "airflow_local_settings.py"]),
        *_stamps(Path(entry) for entry in sys.path if entry.endswith("-packages")),
        *_stamps(_tree(plugins_folder)),
    ):
        digest.update(os.fsencode(line) + b"\n")
    return digest.hexdigest()[:16]


def environment_digest() -> str:
    """Return a digest of the variables that configure Airflow or Python; they never change in a server.

    :returns: 16 hexadecimal digits
    """
    return hashlib.sha256(os.fsencode("\n".join(_environment()))).hexdigest()[:16]


def _environment() -> list[str]:
    names = sorted(name for name in os.environ if name.startswith(PREFIXES) and name not in NOT_CONFIGURATION)
    return [f"{name}={os.environ[name]}" for name in names]


def _stamps(paths: Iterator[Path] | list[Path]) -> Iterator[str]:
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            yield f"{path} is missing"
        else:
            yield f"{path} {status.st_mtime_ns} {status.st_size}"


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    count = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted([*folders, *files]):
            count += 1
            if count > MAX_FILES:
                return
            yield Path(root, name)


def current_fingerprint() -> str:
    """Return the fingerprint of the present configuration of the installed Airflow."""
    from airflow_remote_server.integrations.installed import configuration_paths

    return fingerprint(*configuration_paths())
