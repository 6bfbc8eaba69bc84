"""Create, run, follow and stop jobs.

A web worker may die at any time: the store and the spools hold everything that the next request needs to
determine a job's true state.
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import Conflict, NotFound, Unavailable
from airflow_remote_server.execution.command import Command, CommandLimits
from airflow_remote_server.execution.spool import Spool
from airflow_remote_server.jobs.admission import JobAdmission
from airflow_remote_server.jobs.found_dead import FoundDead
from airflow_remote_server.jobs.models import ACTIVE, Job, JobState, id_prefix
from airflow_remote_server.jobs.reconciler import Reconciler
from airflow_remote_server.jobs.results import JobResults
from airflow_remote_server.jobs.retention import JobRetention
from airflow_remote_server.jobs.waiting import JobWaiter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.execution.client import CompletionChannel, ForkServerClient
    from airflow_remote_server.jobs.models import JobRequest
    from airflow_remote_server.jobs.sharing import Fill, NodeWork, Workers
    from airflow_remote_server.jobs.spools import JobSpools
    from airflow_remote_server.jobs.store import JobStore

log = logging.getLogger(__name__)


class JobService:
    """The jobs of one state directory.

    :param settings: limits
    :param store: the jobs
    :param spools: their spools
    :param launcher: runs the commands
    :param node: the part that this node takes in a store that several nodes share; None if it takes none
    :param workers: run some of the commands on other machines; None if this node runs all
    """

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        spools: JobSpools,
        launcher: ForkServerClient,
        node: NodeWork | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.spools = spools
        self.launcher = launcher
        self.node = node
        self.workers = workers
        self.results = JobResults(settings, spools)
        self.reconciler = Reconciler(store, spools, self.results, launcher.cold)
        self.retention = JobRetention(settings, store, spools)
        self.admission = JobAdmission(settings, store, spools, self.reconciler)
        self.waiter = JobWaiter(spools, self.reconciler)
        self.found_dead = FoundDead(store, spools, self.reconciler)

    def prepare(self) -> None:
        """Start the fork server in the background. If it cannot be started, commands report why."""
        with suppress(Unavailable):
            self.spools.ensure_state_dir()
            self.launcher.prepare()

    def create(
        self,
        request: JobRequest,
        title: str,
        service: bool,
        again: bool = False,
        names: tuple[str, ...] = (),
    ) -> Job:
        """Add a job to the store, with an empty spool, before anything is run.

        :param request: the request
        :param title: the command line, secrets masked
        :param service: whether it runs until it is stopped
        :param again: whether a service may be started although it runs already
        :param names: the names of a command that workers may run instead of this node
        :raises Busy: if too many commands are active
        :raises ServiceRuns: if a service runs already
        :raises DuplicateKey: if the request repeats an earlier one; carries the earlier job
        :raises Conflict: if another request used the same key
        :raises InsufficientStorage: if the disk of the state directory is almost full
        :raises Unavailable: if the store or the state directory cannot be used
        """
        self._tidy()
        node = self.spools.node
        if self.workers is not None and names and not service and self.workers.accepts(names):
            self.workers.require_usable()
            node = self.workers.node
        now = time.time()
        job = Job(
            id=f"{id_prefix(now)}{secrets.token_hex(9)}",
            kind="service" if service else "command",
            state=JobState.QUEUED,
            node=node,
            principal=request.principal,
            peer=request.peer,
            name=request.name,
            command=title,
            arguments=request.arguments,
            created=now,
            key=request.key,
            digest=request.digest,
        )
        self.admission.admit(job, again)
        try:
            self.spools.create(job)
        except Unavailable:
            self.discard(job)
            raise
        return job

    def resume(self, job_id: str, fill: Fill) -> None:
        """Run a queued command of a dead node here. If that is not possible, its job becomes lost.

        :param job_id: the id of its job, which belongs to this node now
        :param fill: fills its spool
        """
        path = self.spools.root / job_id
        try:
            path.mkdir(0o700)
            fill(path)
            with self.launcher.start(Spool(path), service=False) or nullcontext():
                pass  # nobody waits for its end
        except (OSError, ValueError, Unavailable) as error:
            log.warning("Job %s of a dead node cannot run here: %s", job_id, error)

    def discard(self, job: Job) -> None:
        """Delete a job that never ran."""
        self.spools.remove(job.id)
        self.store.remove([job.id])

    def start(self, job: Job, command: Command) -> CompletionChannel | None:
        """Run a job's command, which from here on does not depend on this process.

        :param job: a job from ``create``
        :param command: what to run
        :returns: a channel that announces the end of the command; None if there is none
        :raises Unavailable: if the command cannot be started
        """
        spool = self.spools.new_spool(job)
        settings = self.settings
        run_seconds = None if command.service else settings.command_timeout
        limits = CommandLimits(run_seconds, settings.max_output_bytes, self.grace_of(job))
        try:
            with self.spools.reporting_unwritable():
                spool.prepare(command, limits)
        except Unavailable:
            self.discard(job)
            raise
        if self.workers is not None and not self.spools.owns(job):
            try:
                self.workers.hand_over(job, spool)
            except Exception:
                self.discard(job)
                raise
            return None
        try:
            return self.launcher.start(spool, command.service)
        except Exception as error:
            if not spool.claim():
                return None  # a supervisor has it
            self.discard(job)
            if isinstance(error, OSError):
                raise Unavailable(f"cannot start a process now: {error.strerror}") from error
            raise

    def wait(
        self,
        job: Job,
        channel: CompletionChannel | None,
        seconds: float,
        abandoned: Callable[[], bool] = lambda: False,
        record: bool = True,
    ) -> Job:
        """Wait for the end of a job.

        :param job: the job
        :param channel: the channel from ``start``
        :param seconds: the maximum time to wait
        :param abandoned: returns whether nobody waits any longer
        :param record: whether to record the end; otherwise, the caller does it (``AuditRecorder``)
        :returns: the job in its state after the wait
        """
        job = self.waiter.wait_for_end(job, channel, seconds, abandoned, record)
        if job.state.final:
            with suppress(Unavailable):  # the command has run, so this must not fail its request
                self._tidy()
        return job

    def refresh(self, job: Job) -> Job:
        """Return a job in its current state."""
        return self.reconciler.refresh(job)

    def get(self, job_id: str, principal: str | None = None) -> Job:
        """Return a job in its current state.

        :param job_id: its id
        :param principal: hide the jobs of other principals; None to show all
        :raises NotFound: if there is no such job
        """
        self.spools.ensure_state_dir()  # the job store may be in this directory
        job = self.store.get(job_id)
        if job is None or principal not in (None, job.principal):
            raise NotFound(f"no such job: {job_id[:60]!r}; ended jobs are deleted after some time")
        return self.refresh(job)

    def wait_for_output(
        self,
        job: Job,
        stream: str,
        offset: int,
        size: int,
        seconds: float,
        abandoned: Callable[[], bool] = lambda: False,
    ) -> tuple[Job, bytes]:
        """Return a part of a job's output, once there is any after the offset or the job has ended.

        :param job: the job
        :param stream: ``stdout`` or ``stderr``
        :param offset: where to start, in bytes
        :param size: the maximum number of bytes to read
        :param seconds: the maximum time to wait
        :param abandoned: returns whether nobody waits any longer
        :returns: the job in its current state; the output
        """
        return self.waiter.wait_for_output(job, stream, offset, size, seconds, abandoned)

    def grace_of(self, job: Job) -> float:
        """Return how long a job may take to end after SIGTERM, in seconds."""
        return self.settings.service_stop_grace if job.service else self.settings.stop_grace

    def stop(self, job: Job, force: bool) -> Job:
        """Tell a job's supervisor to stop it, with SIGTERM, and with SIGKILL after the grace period.

        :param job: an active job
        :param force: send SIGKILL at once
        :returns: the job in its current state
        :raises Conflict: if the job is on another machine that cannot be reached through the store
        :raises Unavailable: if the state directory is not writable, or the store cannot be used
        """
        self.spools.require_readable(job)
        if self.node is None or self.spools.owns(job):
            self.spools.request_stop(job.id, force, self.grace_of(job))
        elif self.node.withdraw(job):
            message = "the command was stopped"
            stopped = replace(job, state=JobState.STOPPED, ended=time.time(), message=message)
            self.reconciler.record(stopped)
        else:
            job = self.store.get(job.id) or job  # a worker may have just taken it
            self.node.stop(job, force, self.grace_of(job))
        return self.refresh(job)

    def delete(self, job: Job) -> None:
        """Delete an ended job with its output and files.

        :param job: an ended job
        :raises Conflict: if the job has not ended, or is on another machine whose jobs cannot be read here
        :raises Unavailable: if the store cannot be used
        """
        self.spools.require_readable(job)
        if not job.state.final:
            raise Conflict(f"job {job.id} is {job.state.value}: stop it first")
        self.spools.remove(job.id)
        self.spools.with_reserve(lambda: self.store.remove([job.id]))
        self.spools.reserve.fill(self.settings.min_free_bytes)

    def find_page(self, states: Collection[JobState], **conditions: Any) -> tuple[list[Job], str | None]:
        """Return a page of jobs in their current state, newest first.

        :param states: only jobs in one of these states; empty for all
        :param conditions: the same as in ``JobStore.find_page``
        :returns: the same as in ``JobStore.find_page``
        :raises Unavailable: if the store or the state directory cannot be used
        """
        self.spools.ensure_state_dir()
        active = set(ACTIVE)
        if not active.issuperset(states):
            self.reconciler.reconcile_active()  # the end of a job that is looked for may not be recorded yet
        # The store does not know whether an active job has started: only its spool tells.
        stored = active.union(states) if active.intersection(states) else states
        jobs, following = self.store.find_page(states=stored, **conditions)
        jobs = [self.refresh(job) if self.spools.owns(job) else job for job in jobs]
        return [job for job in jobs if not states or job.state in states], following

    def reconcile(self) -> None:
        """Record the ends of jobs that no request waits for, and delete expired jobs once per interval.

        :raises Unavailable: if the store or the state directory cannot be used
        """
        self.reconciler.reconcile_active()
        self.spools.reserve.fill(self.settings.min_free_bytes)
        if self.retention.is_due():
            self.retention.delete_expired()
        if self.node is not None:
            self.node.maintain(self.spools.node, self.resume, self.reconciler.give_up)
        if self.workers is not None:
            self.workers.maintain(self.reconciler.give_up_job)
        self.found_dead.handle()  # last: it may read the commands of Airflow, which takes long

    def _tidy(self) -> None:
        """Record ends without a waiting request, and delete expired jobs, once per interval."""
        if self.retention.is_due():
            self.reconciler.reconcile_active()
            self.retention.delete_expired()
            self.spools.reserve.fill(self.settings.min_free_bytes)
