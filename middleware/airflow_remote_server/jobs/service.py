"""Jobs from their submission to their end: whatever dies on the way, the store tells the truth when asked."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import Busy, Conflict, NotFound, Unavailable
from airflow_remote_server.jobs import ACTIVE, Job, State
from airflow_remote_server.jobs.settling import Settling
from airflow_remote_server.jobs.store import Full, Taken
from airflow_remote_server.runner.folder import EXIT, STOP, Command, Limits

if TYPE_CHECKING:
    from airflow_remote_server.jobs.store import Store
    from airflow_remote_server.runner.warm import Line, WarmRunner
    from airflow_remote_server.settings import Settings

POLL_SECONDS = (0.005, 0.05)
"""How often an end is looked for that nobody tells."""

ORPHAN_SECONDS = 1.0
"""How often it is looked whether a job still has a keeper."""

TIDY_SECONDS = 15.0
"""How often a process sees to jobs that nobody waits for, and to old ones."""

MOST_ACTIVE = 100_000
"""Most unfinished jobs that are looked at."""

TIDY_JOBS = 200
"""Most old jobs that are removed at a time: a request waits for it."""

RETRY_AFTER = "5"


@dataclass(frozen=True)
class Wanted:
    """A request for a job.

    :param name: of the endpoint
    :param arguments: as JSON, secrets masked
    :param principal: who asks
    :param peer: the address that the request came from
    :param key: the Idempotency-Key; None when there is none
    :param digest: tells whether two requests want the same
    """

    name: str
    arguments: str
    principal: str
    peer: str
    key: str | None = None
    digest: str = ""


class Jobs(Settling):
    """The jobs of one state directory.

    :param settings: limits, and where the folders are
    :param store: the rows
    :param runner: runs the commands
    """

    def __init__(self, settings: Settings, store: Store, runner: WarmRunner) -> None:
        super().__init__(settings, store, runner)
        self._tidied = 0.0
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Have the warm host started, and do not wait for it. What stands in the way is said by commands."""
        with suppress(Unavailable):
            _ = self.node
            self.runner.prepare()

    def open(self, wanted: Wanted, title: str, service: bool) -> Job:
        """Note a job, before anything of it is done.

        :param wanted: the request
        :param title: the command line as it may be shown
        :param service: whether it runs until it is stopped
        :returns: the job, whose folder is there and empty
        :raises Busy: when there are too many
        :raises Taken: when the request is a repetition; the job of the first one is told
        :raises Conflict: when another request had the same key
        :raises Unavailable: when it cannot be noted
        """
        self.tidy()
        now = time.time()
        job = Job(
            id=f"{int(now * 1e6):014x}{secrets.token_hex(9)}",
            kind="service" if service else "command",
            state=State.QUEUED,
            node=self.node,
            principal=wanted.principal,
            peer=wanted.peer,
            name=wanted.name,
            command=title,
            arguments=wanted.arguments,
            created=now,
            key=wanted.key,
            digest=wanted.digest,
        )
        most = self.settings.max_running + self.settings.max_queued
        for attempt in range(3):
            try:
                self.store.add(job, None if service else most)
                break
            except Full:
                if attempt == 0:
                    self.tidy(now=True)  # some may have ended, and nobody waited for them
                    continue
                raise Busy(
                    f"{most} commands run or wait already ([rest_api_plugin] max_running, max_queued): "
                    "try again later",
                    {"Retry-After": RETRY_AFTER},
                ) from None
            except Taken as taken:
                if taken.job.digest != wanted.digest:
                    raise Conflict(
                        "this Idempotency-Key was used with other arguments; use a new key for a new command"
                    ) from None
                first = self.settle(taken.job)
                if attempt == 2 or not (first.state is State.LOST and first.started is None):
                    raise Taken(first) from None
                self.drop(first)  # it never began, so this request may be the first
        try:
            with self._writable():
                (self.root / job.id).mkdir(0o700)
        except Unavailable:
            self.drop(job)
            raise
        return job

    def drop(self, job: Job) -> None:
        """Forget a job that came to nothing."""
        shutil.rmtree(self.root / job.id, ignore_errors=True)
        self.store.remove([job.id])

    def start(self, job: Job, command: Command) -> Line | None:
        """Run a job's command. From here on it does not need this process.

        :param job: from ``open``
        :param command: what to run
        :returns: a line on which its end is told; None when it is not
        :raises Unavailable: when it cannot be run
        """
        folder = self.folder(job)
        settings = self.settings
        run_seconds = None if command.service else settings.command_timeout
        try:
            with self._writable():
                folder.fill(command, Limits(run_seconds, settings.max_output_bytes, settings.stop_grace))
        except Unavailable:
            self.drop(job)
            raise
        try:
            return self.runner.start(folder, command.service)
        except Exception as error:
            if not folder.claim():
                return None  # somebody runs it
            self.drop(job)
            if isinstance(error, OSError):
                raise Unavailable(f"cannot start a process now: {error.strerror}") from error
            raise

    def wait(self, job: Job, line: Line | None, seconds: float) -> Job:
        """Wait for a job's end.

        :param job: it
        :param line: from ``start``; None when there is none
        :param seconds: at most
        :returns: the job as it is then
        """
        deadline = time.monotonic() + seconds
        if line is not None and line.wait(seconds) and line.end is not None:
            return self.finish(job, line.end)
        folder = self.folder(job)
        pause, look = POLL_SECONDS[0], time.monotonic()
        while not folder.has(EXIT) and (left := deadline - time.monotonic()) > 0:
            if time.monotonic() >= look:
                look = time.monotonic() + ORPHAN_SECONDS
                job = self.settle(job)
                if job.state.final:
                    return job
            time.sleep(min(pause, left))
            pause = min(pause * 2, POLL_SECONDS[1])
        return self.settle(job)

    def get(self, job_id: str, principal: str | None = None) -> Job:
        """A job as it is now.

        :param principal: whose jobs there are, for who asks; None for everybody's
        :raises NotFound: when there is none
        """
        _ = self.node  # makes the folder that the store may be in
        job = self.store.get(job_id)
        if job is None or principal not in (None, job.principal):
            raise NotFound(f"no such job: {job_id[:60]!r}; jobs that have ended are kept for a time only")
        return self.settle(job)

    def more(self, job: Job, stream: str, offset: int, most: int, seconds: float) -> tuple[Job, bytes]:
        """Some of what a job has printed, once there is any after the offset, or the job has ended.

        :param seconds: to wait at most; the other parameters as for ``read``
        """
        deadline = time.monotonic() + seconds
        folder = self.folder(job)
        look = time.monotonic() + ORPHAN_SECONDS
        while True:
            ended = job.state.final or folder.has(EXIT)
            data = self.read(job, stream, offset, most)
            if data or ended or time.monotonic() >= deadline:
                return self.settle(job), data
            if time.monotonic() >= look:
                look, job = time.monotonic() + ORPHAN_SECONDS, self.settle(job)
            time.sleep(POLL_SECONDS[1] / 2)

    def stop(self, job: Job, force: bool) -> None:
        """Ask for a job's end; its keeper sends SIGTERM, and SIGKILL after the time of grace.

        :param job: an unfinished one
        :param force: SIGKILL at once
        :raises Conflict: when another state directory has it
        :raises Unavailable: when that cannot be written down
        """
        self.refuse_elsewhere(job)
        with self._writable():
            self.folder(job).write(STOP, {"force": force})
        self.settle(job)

    def find(self, limit: int, **conditions: Any) -> list[Job]:
        """Jobs as they are now, newest first (``Store.find``)."""
        self.tidy(now=True)
        return [self.settle(job) for job in self.store.find(limit=limit, **conditions)]

    def tidy(self, now: bool = False) -> None:
        """Note ends that nobody waited for, have orphans adopted, and remove what is too old.

        :param now: also when it was done a moment ago
        """
        with self._lock:
            if not now and time.monotonic() < self._tidied + TIDY_SECONDS:
                return
            self._tidied = time.monotonic()
        for job in self.store.find(states=ACTIVE, node=self.node, limit=MOST_ACTIVE):
            self.settle(job)
        oldest = time.time() - self.settings.keep_seconds
        ids = self.store.old(self.node, oldest, self.settings.keep_jobs, TIDY_JOBS)
        for job_id in ids:
            shutil.rmtree(self.root / job_id, ignore_errors=True)
        self.store.remove(ids)
