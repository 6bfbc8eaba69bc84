"""Where the commands of the installed Airflow are learned from: a file that belongs to a configuration.

The warm host writes it when it starts, for it has Airflow's parser in its memory already. Where there is no
host, a process of its own does. Another fingerprint - of Airflow, its providers, airflow.cfg, the plugins -
has another file.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.runner import locks
from airflow_remote_server.runner.cold import environment
from airflow_remote_server.runner.private import private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

FOLDER = "catalogue"
"""Below the state directory."""

LOOK_SECONDS = 1.0
"""How long a fingerprint counts."""

RETRY_SECONDS = 10.0
"""How long after the commands could not be read that is tried again, for it takes seconds."""

UNREADABLE = "the commands of the installed Airflow cannot be read; the webserver's log says why"

MAKE_SECONDS = 90.0
"""How long Airflow's parser may take to be imported and read."""

OLD_SECONDS = 7 * 24 * 3600.0
"""A file of another fingerprint that was not made within this time is removed."""


def file_of(state: Path, fingerprint: str) -> Path:
    """The file of a configuration.

    :param state: the state directory
    :param fingerprint: of the configuration
    """
    return state / FOLDER / f"{fingerprint}.json"


class Source:
    """The commands of the installed Airflow, as ``integrations.cli`` describes them.

    :param state: the state directory
    :param fingerprint: tells the present configuration's
    """

    def __init__(self, state: Path, fingerprint: Callable[[], str]) -> None:
        self.state = state
        self.fingerprint = fingerprint
        self._lock = threading.Lock()
        self._looked = -LOOK_SECONDS
        self._known = ""
        self._description: dict[str, Any] = {}
        self._not_before = 0.0

    def read(self) -> dict[str, Any]:
        """The commands of the present configuration; the same object for as long as that does not change.

        :raises Unavailable: when they cannot be read
        """
        with self._lock:
            if time.monotonic() >= self._looked + LOOK_SECONDS:
                fingerprint = self.fingerprint()
                if fingerprint != self._known:
                    self._description = self._load(file_of(self.state, fingerprint))
                    self._known = fingerprint
                self._looked = time.monotonic()
            return self._description

    def _load(self, path: Path) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return parsed(path)
        if time.monotonic() < self._not_before:
            raise Unavailable(UNREADABLE)
        try:
            make(path)
            return parsed(path)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            log.error("The commands of the installed Airflow cannot be read: %s", error)
            self._not_before = time.monotonic() + RETRY_SECONDS
            raise Unavailable(UNREADABLE) from error


def parsed(path: Path) -> dict[str, Any]:
    """The content of a file.

    :raises OSError: when it is not there
    :raises ValueError: when it is not ours
    """
    found = json.loads(path.read_text("utf-8"))
    if not isinstance(found, dict) or not isinstance(found.get("commands"), list):
        raise ValueError(f"{path} is not a description of commands")
    return found


def make(path: Path) -> None:
    """Have the file written, by one process for all that want it; and remove those that are old.

    :raises OSError: when it cannot be written, or no process can be started
    :raises subprocess.SubprocessError: when Airflow's parser cannot be imported in time
    """
    private(path.parent)
    lock = locks.take(path.with_suffix(".lock"), MAKE_SECONDS)
    try:
        if not path.exists():
            with path.with_suffix(".log").open("wb") as output:
                subprocess.run(
                    [sys.executable, "-m", "airflow_remote_server.integrations.cli", str(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=path.parent,
                    env=environment(),
                    timeout=MAKE_SECONDS,
                    check=True,
                )
        tidy(path)
    finally:
        if lock is not None:
            locks.let_go(lock)


def keep(state: Path, fingerprint: str) -> None:
    """Write the file from what this process knows, for it has imported Airflow's parser.

    :param state: the state directory
    :param fingerprint: of the configuration
    :raises OSError: when it cannot be written
    """
    from airflow_remote_server.integrations import cli

    path = file_of(state, fingerprint)
    private(path.parent)
    cli.write(path)
    tidy(path)


def tidy(kept: Path) -> None:
    """Remove the files of configurations that are long gone.

    :param kept: the file of the present one
    """
    for path in kept.parent.iterdir():
        with suppress(OSError):
            if path.stem != kept.stem and time.time() > path.stat().st_mtime + OLD_SECONDS:
                path.unlink()
