"""Load the description of the installed Airflow's commands from a file that belongs to the configuration.

The fork server writes the file when it starts, since it has Airflow's parser in memory. If there is no fork
server, a separate process writes it. There is one file for each fingerprint, which covers Airflow, its
providers, airflow.cfg, and the plugins.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass, field
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


NOT_YET = "the commands of the installed Airflow are being read; try again in some seconds"

WAIT_SECONDS = 20.0
"""How long a request waits for the commands."""

RETRY_AFTER = "10"


@dataclass
class Loading:
    """One loading of the commands, for all threads that wait for it.

    :param fingerprint: the fingerprint of the configuration
    :param result: the description of the commands
    """

    fingerprint: str
    result: Future[dict[str, Any]] = field(default_factory=Future)


class CommandSource:
    """Describes the commands of the installed Airflow, in the format of ``integrations.command_tables``.

    :param state: the state directory
    :param fingerprint: returns the fingerprint of the current configuration
    """

    def __init__(self, state: Path, fingerprint: Callable[[], str]) -> None:
        self.state = state
        self.fingerprint = fingerprint
        self._lock = threading.Lock()
        self._loading: Loading | None = None
        self._checked_at = -FINGERPRINT_SECONDS
        self._fingerprint = ""
        self._description: dict[str, Any] = {}
        self._retry_at = 0.0

    def read(self) -> dict[str, Any]:
        """Return the commands of the current configuration; the same object until it changes.

        :raises Unavailable: if they cannot be read, or not yet
        """
        with self._lock:
            if time.monotonic() < self._checked_at + FINGERPRINT_SECONDS:
                return self._description
            fingerprint = self.fingerprint()
            if fingerprint == self._fingerprint:
                self._checked_at = time.monotonic()
                return self._description
            loading = self._load(fingerprint)
        # Wait without the lock: other threads wait for the same result.
        try:
            return loading.result.result(WAIT_SECONDS)
        except FutureTimeoutError:
            raise Unavailable(NOT_YET, {"Retry-After": RETRY_AFTER}) from None

    def _load(self, fingerprint: str) -> Loading:
        """Return the loading of a configuration, which is begun once for all threads."""
        if self._loading is not None and self._loading.fingerprint == fingerprint:
            return self._loading
        loading = Loading(fingerprint)
        path = index_path(self.state, fingerprint)
        with suppress(OSError, ValueError):
            self._finish(loading, read_index(path))
            return loading
        if time.monotonic() < self._retry_at:
            raise Unavailable(UNREADABLE)
        self._loading = loading
        threading.Thread(target=self._build, args=(loading, path), daemon=True).start()
        return loading

    def _build(self, loading: Loading, path: Path) -> None:
        try:
            build_index(path)
            description = read_index(path)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            log.error("The commands of the installed Airflow cannot be read: %s", error)
            with self._lock:
                self._forget(loading)
                self._retry_at = time.monotonic() + RETRY_SECONDS
            loading.result.set_exception(Unavailable(UNREADABLE))
        else:
            with self._lock:
                self._forget(loading)
                self._finish(loading, description)

    def _forget(self, loading: Loading) -> None:
        if self._loading is loading:  # otherwise, the configuration has changed meanwhile
            self._loading = None

    def _finish(self, loading: Loading, description: dict[str, Any]) -> None:
        self._description, self._fingerprint = description, loading.fingerprint
        self._checked_at = time.monotonic()
        loading.result.set_result(description)
