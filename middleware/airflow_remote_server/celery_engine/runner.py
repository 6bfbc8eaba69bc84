"""Run commands that wait for a worker, as a node with a state directory of its own."""

from __future__ import annotations

import logging
import os
import shutil
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from celery.exceptions import SoftTimeLimitExceeded

from airflow_remote_server.errors import ApiError, Unavailable
from airflow_remote_server.execution.spool import Spool
from airflow_remote_server.jobs.audit.recorder import AuditRecorder
from airflow_remote_server.jobs.audit.table import AuditTable
from airflow_remote_server.jobs.factory import make_jobs
from airflow_remote_server.jobs.nodes.offers import CommandFiles
from airflow_remote_server.jobs.nodes.worker_queue import WorkerQueue
from airflow_remote_server.jobs.watcher import JobWatcher

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.jobs.models import Job

log = logging.getLogger(__name__)

WAIT_SECONDS = 60.0
"""How long to wait for the end of a command at a time, in seconds."""

FAILURE_SECONDS = 2.0
"""The pause after the store could not be used, in seconds."""

MOST_COMMANDS = 1000
"""Celery alone limits how many commands run at once."""


def worker_settings(settings: Settings, state_dir: Path) -> Settings:
    """Return the settings of a worker's node.

    :param settings: the configuration
    :param state_dir: the state directory of the worker
    """
    # Without the key, its own queue, which is always empty, is not offered to other nodes.
    return replace(settings, state_dir=state_dir, max_running=MOST_COMMANDS, celery_queue="", fernet_key="")


class CommandRunner:
    """Runs the commands of one worker process.

    :param settings: the configuration
    :param state_dir: the state directory of the worker
    """

    def __init__(self, settings: Settings, state_dir: Path) -> None:
        self.pid = os.getpid()
        self.settings = settings
        self.jobs = make_jobs(worker_settings(settings, state_dir), worker=True)
        self.files = CommandFiles(settings.fernet_key)
        self.queue = WorkerQueue(self.jobs.store)
        audit = AuditTable(self.jobs, settings.audit_seconds, settings.audit_rows)
        self.jobs.reconciler.on_end = AuditRecorder(audit).record_end

    def watch(self) -> None:
        """Keep the agent running, and notice the ends of jobs, from now on, in this process."""
        JobWatcher(self.jobs).start()

    def run(self, job_id: str) -> None:
        """Run the command of a job to its end, if it still waits for a worker.

        If that is not possible, its message is sent again. Once this node has taken the command, one of its
        supervisors starts it later.

        :param job_id: the id of the job
        """
        try:
            started = self._start(job_id)
        except (ApiError, OSError, ValueError) as error:
            log.error("Job %s cannot run on this worker: %s", job_id, error)
            return
        if started:
            self._wait(job_id)

    def _start(self, job_id: str) -> bool:
        """Start the command of a job.

        :returns: False if it does not wait for a worker any more
        :raises ApiError: if the store cannot be used, or the disk is almost full
        :raises OSError: if its spool cannot be written, or no process can be started
        :raises ValueError: if it was encrypted with another key
        """
        data = self.queue.read(job_id)
        if data is None:
            return False
        node = self.jobs.spools.node
        self.jobs.spools.require_space(self.settings.min_free_bytes)
        path = self.jobs.spools.root / job_id
        try:
            path.mkdir(0o700)
        except FileExistsError:
            return False  # the broker has delivered the message a second time
        # The spool is complete before the job belongs to this node, whose watcher looks for missing ones.
        taken = False
        try:
            self.files.unpack(data, path)
            taken = self.queue.take(job_id, node)
        finally:
            if not taken:
                shutil.rmtree(path, ignore_errors=True)
        if taken:
            with self.jobs.launcher.start(Spool(path), service=False) or nullcontext():
                pass  # its end is in the spool
        return taken

    def _wait(self, job_id: str) -> None:
        """Wait for the end of a command, so that Celery counts it as running."""
        job: Job | None = None
        try:
            while job is None or not job.state.final:
                try:
                    job = self.jobs.wait(job, None, WAIT_SECONDS) if job else self.jobs.store.get(job_id)
                    if job is None:
                        return  # it was deleted
                except Unavailable:
                    time.sleep(FAILURE_SECONDS)
        except SoftTimeLimitExceeded:
            log.error("Job %s has reached Celery's time limit", job_id)
            if job is not None:
                with suppress(ApiError):
                    self.jobs.stop(job, force=True)
