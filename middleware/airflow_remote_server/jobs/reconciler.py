"""Reconcile the job store with the spools: record how jobs ended, and supervise orphaned jobs again."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.execution.restarts import Restarts
from airflow_remote_server.execution.spool import (
    CLAIMED,
    COMMAND,
    EXIT,
    OFFERED,
    PROCESS,
    STDERR,
    STDOUT,
    SUPERVISOR,
)
from airflow_remote_server.jobs.models import ACTIVE, Job, JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.cold_start import ColdStarter
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.jobs.results import JobResults
    from airflow_remote_server.jobs.spools import JobSpools
    from airflow_remote_server.jobs.store import JobStore

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 45.0
"""How long a job may take from its row to a supervisor, which may have to import Airflow first."""

ADOPT_SECONDS = 3.0
"""How long a new supervisor has to take over its jobs before another one is started."""

RECORD_SECONDS = 1.0
"""How long to retry recording a job's end. Its spool keeps the end until a later reconciliation."""

MAX_ACTIVE = 100_000
"""The maximum number of active jobs that are reconciled at once."""

LOST: dict[str, Any] = {"exit_code": None, "reason": "lost"}
"""The exit record of a job whose end was not observed."""

STATES = {
    "stopped": JobState.STOPPED,
    "output": JobState.STOPPED,
    "timed_out": JobState.TIMED_OUT,
    "lost": JobState.LOST,
}
"""State of a job by the reason in its exit record."""


class Reconciler:
    """Reconciles the jobs of one state directory.

    :param store: the jobs
    :param spools: their spools
    :param results: reads how they ended
    :param starter: starts supervisors for orphaned jobs

    ``on_end`` is called with each job whose end is recorded by this reconciler; by default, it does nothing.
    """

    def __init__(self, store: JobStore, spools: JobSpools, results: JobResults, starter: ColdStarter) -> None:
        self.store = store
        self.spools = spools
        self.results = results
        self.starter = starter
        self.on_end: Callable[[Job], object] = lambda _: None
        self._adopting = threading.Lock()
        self._adopted = -ADOPT_SECONDS

    def reconcile_active(self) -> None:
        """Reconcile all active jobs of this state directory.

        :raises Unavailable: if the store cannot be used
        """
        for job in self.store.find(states=ACTIVE, node=self.spools.node, limit=MAX_ACTIVE):
            self.refresh(job)

    def refresh(self, job: Job) -> Job:
        """Return a job in its current state, and record its end in the store if it has ended.

        :param job: the job as the store has it
        """
        if not self.spools.owns(job):
            return self._refresh_elsewhere(job)
        if job.state.final:
            return job
        spool = self.spools.spool_of(job)
        if spool.has(EXIT):
            return self.finish(job, spool.read(EXIT) or LOST)
        # Checked first: COMMAND is renamed to CLAIMED before PROCESS appears.
        waiting = spool.has(OFFERED) or spool.has(COMMAND)
        started = spool.has(CLAIMED) or spool.has(PROCESS)
        if not started and not waiting:
            if time.time() > job.created + SUBMIT_SECONDS and not spool.has(EXIT):
                # The web worker was killed after it wrote the row and before it filled the spool.
                with suppress(OSError):
                    spool.write_end(None, "lost")
                return self.finish(job, LOST)
        elif is_orphaned(spool):
            self._adopt_orphans(spool)
        return with_process(job, spool) if started else job

    def _refresh_elsewhere(self, job: Job) -> Job:
        """Return a job of another node in its current state.

        It counts as running until its last output has arrived here.
        """
        stored = job if job.state.final else self.store.get(job.id) or job
        copies = self.spools.copies
        if copies is None:
            return stored
        if stored.state.final:
            complete = copies.is_complete(stored)
            return stored if complete else replace(stored, state=JobState.RUNNING, ended=None)
        spool = copies.spool_of(job.id)
        if spool.has(EXIT):
            return self.finish(stored, spool.read(EXIT) or LOST)
        return with_process(stored, spool)

    def give_up(self, node: str, message: str) -> None:
        """Record that the active jobs of another node are lost.

        :param node: the node
        :param message: why, in one line
        :raises Unavailable: if the store cannot be used
        """
        for job in self.store.find(states=ACTIVE, node=node, limit=MAX_ACTIVE):
            try:
                current = self._refresh_elsewhere(job)  # its end may be known already
            except Unavailable:  # its copy cannot be written
                current = job
            if not current.state.final:
                self.give_up_job(current, message)

    def give_up_job(self, job: Job, message: str) -> None:
        """Record that a job of another node is lost.

        :param job: an active job
        :param message: why, in one line
        """
        ended = time.time()
        self.record(replace(job, state=JobState.LOST, ended=ended, message=message, kill_time=None))

    def finish(self, job: Job, exit_record: dict[str, Any]) -> Job:
        """Record the end of a job, and return the ended job.

        :param job: an active job
        :param exit_record: the content of ``exit.json``
        """
        job = self.read_end(job, exit_record)
        self.record(job)
        return job

    def read_end(self, job: Job, exit_record: dict[str, Any]) -> Job:
        """Return an ended job, without recording its end.

        :param job: an active job
        :param exit_record: the content of ``exit.json``
        """
        spool = self.spools.spool_of(job)
        exit_code, reason = exit_record.get("exit_code"), exit_record.get("reason", "")
        error = self.results.failure_of(job, exit_record)
        spool.remove_private_files()
        return replace(
            with_process(job, spool),
            kill_time=None,
            restarts=None,
            state=STATES.get(reason) or (JobState.SUCCEEDED if exit_code == 0 else JobState.FAILED),
            ended=exit_record.get("ended", time.time()),
            exit_code=exit_code,
            message="" if error is None else error.message,
            stdout_bytes=spool.size(STDOUT),
            stderr_bytes=spool.size(STDERR),
        )

    def record(self, job: Job) -> None:
        """Record the end of a job.

        If the store cannot be used, the spool still has the exit record for the next reconciliation.

        :param job: an ended job
        """
        try:
            if self.spools.with_reserve(lambda: self.store.finish(job, retry_for=RECORD_SECONDS)):
                self.on_end(job)
        except Unavailable:
            log.warning("The end of job %s could not be recorded; it will be recorded later", job.id)

    def _adopt_orphans(self, first: Spool) -> None:
        """Start a supervisor for all orphaned jobs: if one lost its supervisor, others did, too."""
        with self._adopting:
            if time.monotonic() < self._adopted + ADOPT_SECONDS or not is_orphaned(first):
                return
            self._adopted = time.monotonic()
            others = (spool for spool in self.spools.all_spools() if spool.path != first.path)
            orphans = [first, *(spool for spool in others if is_orphaned(spool))]
            try:
                self.starter.start(*orphans)
            except OSError as error:
                log.warning("No supervisor could be started for %s jobs: %s", len(orphans), error)


def is_orphaned(spool: Spool) -> bool:
    """Return whether a job has not ended and has no supervisor."""
    if spool.has(EXIT) or spool.is_supervised():
        return False
    # The supervisor writes the exit record before it ends, so look for the record once more.
    return (spool.has(SUPERVISOR) or spool.seconds_unclaimed() > SUBMIT_SECONDS) and not spool.has(EXIT)


def with_process(job: Job, spool: Spool) -> Job:
    """Return a job as running, if its spool records a process; otherwise the job itself."""
    process, restarts = spool.read(PROCESS), Restarts.read(spool) if job.service else None
    if not isinstance(process, dict):
        # Between two processes, a service counts as running.
        again = restarts is not None and restarts.count > 0
        return replace(job, state=JobState.RUNNING, pid=None, restarts=restarts) if again else job
    waits = restarts is not None and restarts.next is not None
    return replace(
        job,
        restarts=restarts,
        state=JobState.RUNNING,
        started=process["began"],
        pid=None if waits else process["pid"],
        stdout_bytes=spool.size(STDOUT),
        stderr_bytes=spool.size(STDERR),
        kill_time=spool.kill_time(),
    )
