"""Notice the ends of jobs that no request asks about.

Each web worker has a watcher, but only one watcher of a state directory works: the one that holds the lock.
The others wait until its process ends.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs.spools import WATCHER_LOCK
from airflow_remote_server.util import locks

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.jobs.service import JobService

log = logging.getLogger(__name__)

WATCH_SECONDS = 3.0
"""Interval between two looks at the active jobs: one query, and a few file names for each active job."""

FAILURE_SECONDS = 60.0
"""The same interval after the store or the state directory could not be used."""


class JobWatcher:
    """A daemon thread that reconciles the active jobs of a state directory.

    Threads do not survive a fork, so it must be started in the process that serves requests. As a daemon, it
    does not delay the end of this process.

    :param jobs: the jobs
    """

    def __init__(self, jobs: JobService) -> None:
        self.jobs = jobs
        self._lock: int | None = None
        self._pid = 0

    @property
    def path(self) -> Path:
        """Return the lock file."""
        return self.jobs.spools.state_dir / WATCHER_LOCK

    def start(self) -> None:
        """Start the thread, unless it runs in this process."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        os.register_at_fork(after_in_child=self.close_lock)
        threading.Thread(target=self._run, name="airflow-remote-watcher", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            seconds = WATCH_SECONDS
            try:
                self.watch_once()
            except (Unavailable, OSError):  # logged by the store; the next request reports it
                seconds = FAILURE_SECONDS
            except Exception:
                log.exception("The active jobs could not be checked")
                seconds = FAILURE_SECONDS
            pause.wait(seconds)

    def watch_once(self) -> bool:
        """Reconcile the active jobs if this is the watcher of the state directory, and return whether it is.

        :raises Unavailable: if the store or the state directory cannot be used
        :raises OSError: if the lock file cannot be opened
        """
        self.jobs.spools.ensure_state_dir()
        if not self._acquire():
            return False
        self.jobs.reconcile()
        return True

    def _acquire(self) -> bool:
        """Return whether this watcher holds the lock. If the lock file was removed, acquire a new one."""
        if self._lock is not None and os.fstat(self._lock).st_nlink == 0:
            self.close_lock()
        if self._lock is None:
            self._lock = locks.acquire(self.path)
        return self._lock is not None

    def close_lock(self) -> None:
        """Close the lock file, if it is open. A forked process must, since it would keep the lock."""
        if self._lock is not None:
            with suppress(OSError):
                os.close(self._lock)
            self._lock = None
