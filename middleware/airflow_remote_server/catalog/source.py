"""Load the description of the installed Airflow's commands from a file that belongs to the configuration.

The fork server writes the file when it starts, since it has Airflow's parser in memory. If there is no fork
server, a separate process writes it. There is one file for each fingerprint, which covers Airflow, its
providers, airflow.cfg, and the plugins.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.execution.command_index import build_index, index_path, read_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

FINGERPRINT_SECONDS = 1.0
"""How long a fingerprint is valid."""

RETRY_SECONDS = 10.0
"""How long to wait after a failure before the next attempt, which takes seconds."""

UNREADABLE = "the commands of the installed Airflow cannot be read; the webserver's log says why"


class CommandSource:
    """Describes the commands of the installed Airflow, in the format of ``integrations.command_tables``.

    :param state: the state directory
    :param fingerprint: returns the fingerprint of the current configuration
    """

    def __init__(self, state: Path, fingerprint: Callable[[], str]) -> None:
        self.state = state
        self.fingerprint = fingerprint
        self._lock = threading.Lock()
        self._checked_at = -FINGERPRINT_SECONDS
        self._fingerprint = ""
        self._description: dict[str, Any] = {}
        self._retry_at = 0.0

    def read(self) -> dict[str, Any]:
        """Return the commands of the current configuration; the same object until it changes.

        :raises Unavailable: if they cannot be read
        """
        with self._lock:
            if time.monotonic() >= self._checked_at + FINGERPRINT_SECONDS:
                fingerprint = self.fingerprint()
                if fingerprint != self._fingerprint:
                    self._description = self._load(index_path(self.state, fingerprint))
                    self._fingerprint = fingerprint
                self._checked_at = time.monotonic()
            return self._description

    def _load(self, path: Path) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return read_index(path)
        if time.monotonic() < self._retry_at:
            raise Unavailable(UNREADABLE)
        try:
            build_index(path)
            return read_index(path)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            log.error("The commands of the installed Airflow cannot be read: %s", error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            raise Unavailable(UNREADABLE) from error
