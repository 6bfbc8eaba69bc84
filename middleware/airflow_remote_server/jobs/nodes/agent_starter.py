"""Keep the agent of a node running."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_remote_server._version import __version__
from airflow_remote_server.execution.cold_start import start_program
from airflow_remote_server.util import locks

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

MODULE = "airflow_remote_server.jobs.nodes.agent"
LOCK, LOG = "agent.lock", "agent.log"
"""The lock file and the log of the agent, in the state directory."""

RETRY_SECONDS = 10.0
"""The minimum time between two starts, in seconds."""


class AgentStarter:
    """Starts the agent of a state directory if it does not run.

    :param state_dir: the state directory
    :param url: the URL of the shared store
    :param fernet_key: Airflow's
    :param output_url: the URL of the object store for output; "" for none
    """

    def __init__(self, state_dir: Path, url: str, fernet_key: str, output_url: str = "") -> None:
        self._state_dir = state_dir
        secrets = {"url": url, "fernet_key": fernet_key, "output_url": output_url}
        self._secrets = json.dumps(secrets).encode()
        self._next = 0.0

    def ensure_runs(self) -> None:
        """Start the agent, unless it runs or was started just now."""
        now = time.monotonic()
        if now < self._next:
            return
        if locks.is_locked(self._state_dir / LOCK) and not self._end_outdated():
            return
        self._next = now + RETRY_SECONDS
        try:
            exit_code = start_program(MODULE, [str(self._state_dir)], self._state_dir / LOG, self._secrets)
        except OSError as error:
            log.warning("The agent of this node could not be started: %s", error)
            return
        if exit_code:
            log.warning("The agent of this node exited with %s, see %s", exit_code, self._state_dir / LOG)

    def _end_outdated(self) -> bool:
        """End the running agent if it is of another release or has another configuration.

        :returns: whether it was told to end
        """
        try:
            pid, digest = json.loads((self._state_dir / LOCK).read_text("ascii"))
        except (OSError, ValueError):
            return False  # it has only just started
        if digest == digest_of(self._secrets):
            return False
        with suppress(OSError):
            os.kill(pid, signal.SIGUSR1)
        return True


def digest_of(secrets: bytes) -> str:
    """Return a text that differs if the release or the configuration of an agent differs."""
    return hashlib.sha256(__version__.encode() + b"\0" + secrets).hexdigest()
