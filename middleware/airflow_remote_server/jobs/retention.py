"""Delete ended jobs that have expired, and the oldest ones above the maximum number."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.jobs.spools import JobSpools
    from airflow_remote_server.jobs.store import JobStore

INTERVAL_SECONDS = 15.0
"""How often one process looks for expired jobs."""

BATCH = 200
"""The maximum number of jobs that are deleted at once, because a request waits for it."""


class JobRetention:
    """Deletes expired jobs of one state directory.

    :param settings: how long, and how many, ended jobs are kept
    :param store: the jobs
    :param spools: their spools
    """

    def __init__(self, settings: Settings, store: JobStore, spools: JobSpools) -> None:
        self.settings = settings
        self.store = store
        self.spools = spools
        self._lock = threading.Lock()
        self._next = 0.0

    def is_due(self) -> bool:
        """Return whether it is time to look again, and start the next interval if so."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return False
            self._next = now + INTERVAL_SECONDS
            return True

    def delete_expired(self) -> None:
        """Delete the jobs that need not be kept, with their spools.

        :raises Unavailable: if the store or the state directory cannot be used
        """
        oldest = time.time() - self.settings.keep_seconds
        job_ids = self.store.find_expired(self.spools.node, oldest, self.settings.keep_jobs, BATCH)
        for job_id in job_ids:
            self.spools.remove(job_id)
        self.spools.with_reserve(lambda: self.store.remove(job_ids))
