"""Jobs from their submission to their end: whatever dies on the way, the store tells the truth when asked."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import Busy, Conflict, NotFound, Unavailable
from airflow_remote_server.jobs import ACTIVE, Job, State
from airflow_remote_server.jobs.folders import Folders
from airflow_remote_server.jobs.store import Full, Taken
from airflow_remote_server.runner.folder import (
    CLAIMED,
    COMMAND,
    EXIT,
    KEEPER,
    PROCESS,
    STDERR,
    STDOUT,
    STOP,
    Command,
    Folder,
    Limits,
)

if TYPE_CHECKING:
    from airflow_remote_server.jobs.store import Store
    from airflow_remote_server.runner.warm import Line, WarmRunner
    from airflow_remote_server.settings import Settings

log = logging.getLogger(__name__)

POLL_SECONDS = (0.005, 0.05)
"""How often an end is looked for that nobody tells."""

ORPHAN_SECONDS = 1.0
"""How often it is looked whether a job still has a keeper."""

SUBMIT_SECONDS = 45.0
"""How long it may take from a row in the store to a keeper, which may have to import Airflow first."""

TIDY_SECONDS = 15.0
"""How often a process sees to jobs that nobody waits for, and to old ones."""

MOST_ACTIVE = 100_000
"""Most unfinished jobs that are looked at."""

TIDY_JOBS = 200
"""Most old jobs that are removed at a time: a request waits for it."""

ADOPT_SECONDS = 3.0
"""How long a supervisor has to take what it was given, before another one is started."""

RETRY_AFTER = "5"

LOST: dict[str, Any] = {"exit_code": None, "reason": "lost"}
"""The end of what nobody can tell the end of."""


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


class Jobs(Folders):
    """The jobs of one state directory.

    :param settings: limits, and where the folders are
    :param store: the rows
    :param runner: runs the commands
    """

    def __init__(self, settings: Settings, store: Store, runner: WarmRunner) -> None:
        super().__init__(settings)
        self.store = store
        self.runner = runner
        self._tidied = 0.0
        self._lock = threading.Lock()
        self._adopting = threading.Lock()
        self._adopted = -ADOPT_SECONDS

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
            return self._finish(job, line.end)
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

    def settle(self, job: Job) -> Job:
        """See how a job stands, by what its folder says, and note it when it has ended.

        :param job: as the store has it
        :returns: as it is
        """
        if job.state.final:
            return job
        if not self.has(job):
            return self.store.get(job.id) or job
        folder = self.folder(job)
        if folder.has(EXIT):
            return self._finish(job, folder.read(EXIT) or LOST)
        waiting = folder.has(COMMAND)  # asked for first: it becomes CLAIMED, and then PROCESS is there
        begun = folder.has(CLAIMED) or folder.has(PROCESS)
        if not begun and not waiting:
            if time.time() > job.created + SUBMIT_SECONDS and not folder.has(EXIT):
                # The web worker was killed between the row and the folder: nothing was run.
                return self._finish(job, LOST)
        elif orphaned(folder):
            self._have_adopted(folder)
        return self._begun(job, folder) if begun else job

    @staticmethod
    def _begun(job: Job, folder: Folder) -> Job:
        process = folder.read(PROCESS)
        if not isinstance(process, dict):
            return job
        return replace(
            job,
            state=State.RUNNING,
            started=process["began"],
            pid=process["pid"],
            stdout_bytes=folder.size(STDOUT),
            stderr_bytes=folder.size(STDERR),
        )

    def _have_adopted(self, found: Folder) -> None:
        """Give every orphan a keeper: when one has lost its own, so have others."""
        with self._adopting:
            if time.monotonic() < self._adopted + ADOPT_SECONDS or not orphaned(found):
                return
            self._adopted = time.monotonic()
            orphans = [found]
            for path in self.root.iterdir():
                folder = Folder(path)
                if path != found.path and orphaned(folder):
                    orphans.append(folder)
            try:
                self.runner.cold.start(*orphans)
            except OSError as error:
                log.warning("Nobody can look after %s jobs now: %s", len(orphans), error)

    def _finish(self, job: Job, end: dict[str, Any]) -> Job:
        """Note a job's end; when the store cannot be used just now, the folder still has it."""
        folder = self.folder(job)
        exit_code, reason = end.get("exit_code"), end.get("reason", "")
        error = self.failure(job, end)
        states = {"stopped": State.STOPPED, "timed_out": State.TIMED_OUT, "lost": State.LOST}
        states["output"] = State.STOPPED
        state = states.get(reason) or (State.SUCCEEDED if exit_code == 0 else State.FAILED)
        job = replace(
            self._begun(job, folder),
            state=state,
            ended=end.get("ended", time.time()),
            exit_code=exit_code,
            message="" if error is None else error.message,
            stdout_bytes=folder.size(STDOUT),
            stderr_bytes=folder.size(STDERR),
        )
        folder.clear()
        try:
            self.store.finish(job, patience=1.0)
        except Unavailable:
            log.warning("The end of job %s could not be noted; that is done later", job.id)
        return job

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


def orphaned(folder: Folder) -> bool:
    """Whether nobody looks after a job that has not ended."""
    if folder.has(EXIT) or folder.kept():
        return False
    # The end is written down before its keeper may go, so it is looked for again.
    return (folder.has(KEEPER) or folder.waited() > SUBMIT_SECONDS) and not folder.has(EXIT)
