"""What a warm host was started from, as one short text: another text means another host.

Covers airflow.cfg, the environment variables that configure Airflow or Python, the installed packages, the
plugins folder and ``airflow_local_settings.py``. Files count by name, time and size.
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
# What belongs to a server, or what a command gets in any case (runner.cold.environment).
NOT_CONFIGURATION = frozenset({"AIRFLOW_API_APPS", "PYTHONUTF8"})
MOST_FILES = 5000
"""Files of the plugins folder that are looked at; more of them change the folder's own time as well."""


def fingerprint(config_file: Path, plugins_folder: Path, local_settings: Path) -> str:
    """Tell the state of everything a warm host keeps in its memory.

    :param config_file: airflow.cfg
    :param plugins_folder: Airflow's plugins folder
    :param local_settings: the folder that may hold airflow_local_settings.py
    :returns: 16 hexadecimal digits
    """
    # A socket is of no use on another machine, which may share the folder that it is in.
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
    """Tell the variables that configure Airflow or Python: what of a fingerprint a server keeps all its life.

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
            yield f"{path} is not there"
        else:
            yield f"{path} {status.st_mtime_ns} {status.st_size}"


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    count = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted([*folders, *files]):
            count += 1
            if count > MOST_FILES:
                return
            yield Path(root, name)
