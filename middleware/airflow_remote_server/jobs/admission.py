"""Admit new jobs to the store, or reject them: disk space, the length of the queue, and repeated requests."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_remote_server.errors import Busy, Conflict, InsufficientStorage, Unavailable
from airflow_remote_server.jobs.limits import AlreadyActive, QueueFull
from airflow_remote_server.jobs.models import ACTIVE, JobState
from airflow_remote_server.jobs.reconciler import MAX_ACTIVE
from airflow_remote_server.jobs.store import DuplicateKey
from airflow_remote_server.util import locks
from airflow_remote_server.util.drain import DRAIN

if TYPE_CHECKING:
    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.reconciler import Reconciler
    from airflow_remote_server.jobs.spools import JobSpools
    from airflow_remote_server.jobs.store import JobStore

ATTEMPTS = 3
"""How often to try to add a job while a full queue, or an earlier job with the same key, prevents it."""

RETRY_AFTER = "5"

LOCK_SECONDS = 10.0
"""How long a service waits while another one is being started."""


class Draining(Unavailable):
    """Raised if the web server is about to stop."""

    def __init__(self) -> None:
        super().__init__(
            "this webserver is stopping and takes no new commands: try again in a moment",
            {"Retry-After": RETRY_AFTER},
        )

    @property
    def kind(self) -> str:
        """Return the ``error.type`` of the envelope."""
        return Unavailable.__name__


class ServiceRuns(Conflict):
    """Raised if a service runs already.

    :param job: its job
    """

    def __init__(self, job: Job) -> None:
        doing = "is being stopped" if job.kill_time is not None else "runs already"
        super().__init__(
            f"`{job.command[:200]}` {doing}, as job {job.id}: "
            "stop it first, or give force=true to start another one"
        )
        self.job = job

    @property
    def kind(self) -> str:
        """Return the ``error.type`` of the envelope."""
        return Conflict.__name__


class JobAdmission:
    """Decides whether a new job is added to the store.

    :param settings: limits
    :param store: the jobs
    :param spools: their spools
    :param reconciler: knows which jobs have ended
    """

    def __init__(
        self, settings: Settings, store: JobStore, spools: JobSpools, reconciler: Reconciler
    ) -> None:
        self.settings = settings
        self.store = store
        self.spools = spools
        self.reconciler = reconciler

    def admit(self, job: Job, again: bool = False) -> None:
        """Add a new job to the store.

        :param job: the job
        :param again: whether a service may be started although it runs already
        :raises ServiceRuns: if it may not, and it does
        :raises Busy: if too many commands are active
        :raises DuplicateKey: if the request repeats an earlier one; carries the earlier job
        :raises Conflict: if another request used the same key
        :raises Draining: if the web server is about to stop
        :raises InsufficientStorage: if the disk of the state directory is almost full
        :raises Unavailable: if the store or the state directory cannot be used
        """
        self._require_readiness(job)
        if not job.service or again:
            return self._add(job)
        self.spools.ensure_state_dir()
        with self.spools.reporting_unwritable(), locks.locked_directory(self.spools.root, LOCK_SECONDS):
            for _ in range(ATTEMPTS):
                running = self._running(job)
                if running is not None:
                    raise ServiceRuns(running)
                with suppress(AlreadyActive):  # another webserver was faster
                    return self._add(job, alone=self.settings.shares_store)
        raise Busy(
            "another webserver is starting or ending this service: try again", {"Retry-After": RETRY_AFTER}
        )

    def _running(self, job: Job) -> Job | None:
        """Return the service with the same command line; None if it does not run.

        All nodes count that share the store.

        If the request of the running service is repeated, None is returned, too.
        """
        node = None if self.settings.shares_store else self.spools.node
        for other in self.store.find(states=ACTIVE, node=node, limit=MAX_ACTIVE):
            if not other.service or other.command != job.command:
                continue
            other = self.reconciler.refresh(other)
            if not other.state.final:
                repeated = job.key is not None and (other.principal, other.key) == (job.principal, job.key)
                return None if repeated else other
        return None

    def _add(self, job: Job, alone: bool = False) -> None:
        """Add a job to the store if it is within the limits, and its request is new; see ``admit``.

        :raises AlreadyActive: if it is to be ``alone``, but another node has added a job for the same service
        """
        max_active, max_share = self._limits(job)
        for attempt in range(ATTEMPTS):
            try:
                return self.store.add(job, max_active, max_share, self.settings.shares_store, alone)
            except QueueFull as full:
                if attempt:
                    raise self._busy(job, full.share) from None
                self.reconciler.reconcile_active()  # some may have ended while no request waited for them
            except DuplicateKey as duplicate:
                earlier = self._repeated(job, duplicate.job)
                # The queue of another node may still run it.
                own = self.spools.owns(earlier)
                never_ran = own and earlier.state is JobState.LOST and earlier.started is None
                if attempt == ATTEMPTS - 1 or not never_ran:
                    raise DuplicateKey(earlier) from None
                self.spools.remove(earlier.id)  # this request takes its place
                self.store.remove([earlier.id])
        return None

    def _limits(self, job: Job) -> tuple[int | None, int | None]:
        """Return how many commands may be active: of all principals, and of the job's; None for no limit.

        With a single token, there is nobody to share with.
        """
        settings = self.settings
        if job.service:
            return None, None
        max_active = settings.max_running + settings.max_queued
        if settings.tokens_file is None:
            return max_active, None
        share = min(1.0, settings.max_queue_share)
        return max_active, settings.max_running + int(settings.max_queued * share)

    def _busy(self, job: Job, share: bool) -> Busy:
        """Return the error for a job that does not fit into the queue.

        :param job: the job
        :param share: whether its principal has used up its share
        """
        max_active, max_share = self._limits(job)
        who, count, keys = "", max_active, "max_running, max_queued"
        if share:
            who, count, keys = f" of {job.principal}", max_share, f"{keys}, max_queue_share"
        return Busy(
            f"{count} commands{who} are running or queued already "
            f"([rest_api_plugin] {keys}): try again later",
            {"Retry-After": RETRY_AFTER},
        )

    def _require_readiness(self, job: Job) -> None:
        """Reject a job if the server drains or the disk is almost full.

        A repeated request gets its earlier job nevertheless.
        """
        try:
            if DRAIN.active:
                raise Draining
            self.spools.require_space(self.settings.min_free_bytes)
        except (Draining, InsufficientStorage):
            earlier = None if job.key is None else self.store.find_key(job.principal, job.key)
            if earlier is None:
                raise
            raise DuplicateKey(self._repeated(job, earlier)) from None

    def _repeated(self, job: Job, earlier: Job) -> Job:
        """Return the job of an earlier request with the same key, in its current state.

        :param job: the new job
        :param earlier: the earlier job
        :raises Conflict: if the requests differ
        """
        if earlier.digest != job.digest:
            raise Conflict(
                "this Idempotency-Key was used with other arguments; use a new key for a new command"
            ) from None
        return self.reconciler.refresh(earlier)
