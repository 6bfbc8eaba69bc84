"""How jobs stand: what their folders say is noted in the store, and those without a keeper get one."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs import Job, State
from airflow_remote_server.jobs.folders import Folders
from airflow_remote_server.runner.folder import (
    CLAIMED,
    COMMAND,
    EXIT,
    KEEPER,
    PROCESS,
    STDERR,
    STDOUT,
    Folder,
)

if TYPE_CHECKING:
    from airflow_remote_server.jobs.store import Store
    from airflow_remote_server.runner.warm import WarmRunner
    from airflow_remote_server.settings import Settings

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 45.0
"""How long it may take from a row in the store to a keeper, which may have to import Airflow first."""

ADOPT_SECONDS = 3.0
"""How long a supervisor has to take what it was given, before another one is started."""

LOST: dict[str, Any] = {"exit_code": None, "reason": "lost"}
"""The end of what nobody can tell the end of."""


class Settling(Folders):
    """Settles the jobs of one state directory.

    :param settings: limits, and where the folders are
    :param store: the rows
    :param runner: runs the commands
    """

    def __init__(self, settings: Settings, store: Store, runner: WarmRunner) -> None:
        super().__init__(settings)
        self.store = store
        self.runner = runner
        self._adopting = threading.Lock()
        self._adopted = -ADOPT_SECONDS

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
            return self.finish(job, folder.read(EXIT) or LOST)
        waiting = folder.has(COMMAND)  # asked for first: it becomes CLAIMED, and then PROCESS is there
        begun = folder.has(CLAIMED) or folder.has(PROCESS)
        if not begun and not waiting:
            if time.time() > job.created + SUBMIT_SECONDS and not folder.has(EXIT):
                # The web worker was killed between the row and the folder: nothing was run.
                return self.finish(job, LOST)
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

    def finish(self, job: Job, end: dict[str, Any]) -> Job:
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


def orphaned(folder: Folder) -> bool:
    """Whether nobody looks after a job that has not ended."""
    if folder.has(EXIT) or folder.kept():
        return False
    # The end is written down before its keeper may go, so it is looked for again.
    return (folder.has(KEEPER) or folder.waited() > SUBMIT_SECONDS) and not folder.has(EXIT)
