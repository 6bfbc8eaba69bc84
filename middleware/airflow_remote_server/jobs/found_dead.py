"""Services whose end nobody has observed: their supervisor had ended, too, as when a container is replaced.

The supervisor that finds such a service notes its job (``execution.ends``). Only the web worker that watches
the jobs reads the notes. A note stays until the service has been started again, so that a web worker that
ends meanwhile leaves it to the next one.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_remote_server.errors import ApiError, Busy, Unavailable
from airflow_remote_server.execution.spool import FOUND_DEAD
from airflow_remote_server.jobs.models import JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.reconciler import Reconciler
    from airflow_remote_server.jobs.spools import JobSpools
    from airflow_remote_server.jobs.store import JobStore

log = logging.getLogger(__name__)


class FoundDead:
    """The services of one state directory that were found dead.

    :param store: the jobs
    :param spools: their spools
    :param reconciler: records how they ended

    ``start_again`` is called with the job of each; by default, it does nothing.
    """

    def __init__(self, store: JobStore, spools: JobSpools, reconciler: Reconciler) -> None:
        self._store = store
        self._spools = spools
        self._reconciler = reconciler
        self.start_again: Callable[[Job], object] = lambda _: None

    def handle(self) -> None:
        """Start services again that were found dead, unless a user has stopped them.

        :raises Unavailable: if the store cannot be used
        """
        folder = self._spools.state_dir / FOUND_DEAD
        try:
            notes = sorted(folder.iterdir())
        except OSError:
            return  # there are none
        for note in notes:
            job = self._store.get(note.name)
            job = None if job is None else self._reconciler.refresh(job)
            if job is not None and not job.state.final:
                continue  # its end is being recorded
            try:
                if job is not None and job.service and job.state is not JobState.STOPPED:
                    self.start_again(job)
            except (Busy, Unavailable) as error:
                log.warning("Job %s cannot be started again now: %s", note.name, error.message)
                continue  # the next attempt comes soon
            except ApiError as error:
                log.warning("Job %s is not started again: %s", note.name, error.message)
            with suppress(OSError):
                note.unlink()
