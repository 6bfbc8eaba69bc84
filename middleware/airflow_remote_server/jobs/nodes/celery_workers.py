"""Hand commands over to Celery workers: their files go through the shared store, the broker only gets the id.

The message of a job may be lost, with its worker or with the broker, or be delivered several times. So
messages are sent again when the broker has none left while commands wait, and a worker takes a command in the
store before it runs it (``worker_queue``).
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import ApiError, TooLarge, Unavailable
from airflow_remote_server.integrations.celery_app import PACKAGE, PROVIDER, make_celery_app, queue_of_tasks
from airflow_remote_server.jobs.nodes.worker_queue import WAITING, WorkerQueue
from airflow_remote_server.util.globs import matches_any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.nodes.offers import CommandFiles

log = logging.getLogger(__name__)

TASK = "airflow_remote.run"
"""The name of the task that runs a command."""

LARGEST = 8 << 20
"""The maximum size of the files of a command, encoded, in bytes; MySQL's MEDIUMBLOB holds twice as much."""

MAINTAIN_SECONDS = 10.0
"""How often to look for commands whose message was lost, and how long they must have waited, in seconds."""

ABANDONED_SECONDS = 120.0
"""After how many seconds a job without files is lost; webservers' clocks may differ by a minute."""

LIMIT_SECONDS = 60.0
"""How much later than the supervisor Celery itself enforces ``command_timeout``, in seconds."""


class CeleryWorkers:
    """Celery workers, as a webserver sees them.

    :param settings: names their queue, and the commands that they run
    :param queue: the jobs that wait for a worker
    :param files: encrypts the files of commands; None if there is no key
    :param folder: the directory for the files of commands until they are in the store
    """

    def __init__(
        self, settings: Settings, queue: WorkerQueue, files: CommandFiles | None, folder: Path
    ) -> None:
        self.node = f"{WAITING}@{settings.celery_queue}"
        self._settings = settings
        self._queue = queue
        self._files = files
        self._folder = folder
        self._app: tuple[int, Any] | None = None
        self._due = 0.0
        self._reported = ""
        self._problem = find_problem(settings, files)
        if self._problem:
            log.error("The commands in celery_commands are answered with 503: %s", self._problem)

    def accepts(self, names: tuple[str, ...]) -> bool:
        """Return whether Celery workers are to run a command.

        :param names: its name in the installed Airflow, and those of classic endpoints
        """
        return matches_any(names, self._settings.celery_commands)

    def require_usable(self) -> None:
        """Check that commands can be handed over.

        :raises Unavailable: saying what is missing
        """
        if self._problem:
            raise Unavailable(self._problem)

    def hand_over(self, job: Job, spool: Spool) -> None:
        """Let a worker run a command.

        :param job: its job, whose node is that of this object
        :param spool: its prepared spool, which is removed
        :raises TooLarge: if its files are too large
        :raises Unavailable: if the store or the broker cannot be used; then no worker will run it
        """
        assert self._files is not None, "checked by require_usable"  # noqa: S101 - for mypy
        spool.offer()
        data = self._files.pack(spool, LARGEST)
        if data is None:
            most = LARGEST * 3 // 4 >> 20  # base64
            raise TooLarge(f"the files of a command for a Celery worker may have {most} MiB at most")
        shutil.rmtree(spool.path, ignore_errors=True)
        if not self._queue.put(job.id, data):
            raise Unavailable("the job was given up before a Celery worker could get it: try again")
        try:
            self._send(job.id)
        except Exception as error:  # whatever the broker's library raises
            if not self._queue.withdraw(job.id):
                return  # the message has arrived nevertheless
            raise Unavailable(f"{explain(error)}; check [celery] broker_url") from error

    def maintain(self, give_up: Callable[[Job, str], None]) -> None:
        """Send messages that were lost again, and give up jobs without files, once per interval.

        :param give_up: called with each such job, and why it is lost
        :raises Unavailable: if the store cannot be used
        """
        if self._problem or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + MAINTAIN_SECONDS
        now = time.time()
        for job in self._queue.find_abandoned(now - ABANDONED_SECONDS):
            give_up(job, "job lost: its webserver ended before a Celery worker could get it; it never ran")
        self._remove_old(now - ABANDONED_SECONDS)
        waiting = self._queue.find_waiting(now - MAINTAIN_SECONDS)
        try:
            if waiting and self._is_broker_empty():
                for job_id in waiting:
                    self._send(job_id)
            self._reported = ""
        except Exception as error:  # noqa: BLE001 - whatever the broker's library raises
            message = explain(error)
            if message != self._reported:
                self._reported = message
                log.warning("%s commands wait for Celery workers: %s", len(waiting), message)

    def _remove_old(self, before: float) -> None:
        """Remove files of commands that a webserver left when it ended."""
        with suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                with suppress(OSError):
                    if path.stat().st_mtime < before:
                        shutil.rmtree(path, ignore_errors=True)

    def _connect(self) -> Any:
        """Return the Celery app of this process; a connection does not survive a fork."""
        if self._app is None or self._app[0] != os.getpid():
            self._app = os.getpid(), make_celery_app(sends=True)
        return self._app[1]

    def _send(self, job_id: str) -> None:
        settings = self._settings
        limit = settings.command_timeout + settings.stop_grace + LIMIT_SECONDS
        options = {} if settings.celery_priority is None else {"priority": settings.celery_priority}
        self._connect().send_task(
            TASK,
            (job_id,),
            queue=settings.celery_queue,
            soft_time_limit=limit,
            time_limit=limit + LIMIT_SECONDS,
            **options,
        )

    def _is_broker_empty(self) -> bool:
        """Return whether no message is left in the queue."""
        with self._connect().connection_for_write() as connection:
            try:
                found = connection.default_channel.queue_declare(self._settings.celery_queue, passive=True)
            except connection.channel_errors:
                return True  # there is no such queue
            return not found.message_count


def find_problem(settings: Settings, files: CommandFiles | None) -> str:
    """Return why Celery workers cannot be used, in one line; "" if they can.

    :param settings: the configuration
    :param files: what encrypts the files of commands, if there is a key
    """
    if not settings.shares_output:
        return (
            "[rest_api_plugin] celery_queue needs a database that the workers share: set jobs_url to "
            "PostgreSQL, MySQL or `airflow`, and output_store to one that they share"
        )
    if files is None:
        return "[rest_api_plugin] celery_queue needs [core] fernet_key, the same on all machines"
    if importlib.util.find_spec("celery") is None or importlib.util.find_spec(PROVIDER) is None:
        return f"[rest_api_plugin] celery_queue needs Celery: pip install {PACKAGE}"
    if settings.celery_queue == queue_of_tasks():
        return (
            f"[rest_api_plugin] celery_queue must not be {settings.celery_queue!r}, the queue of Airflow's "
            "own tasks ([operators] default_queue): name another one"
        )
    return ""


def explain(error: Exception) -> str:
    """Return why the broker cannot be used, in one line."""
    if isinstance(error, ApiError):
        return error.message
    if isinstance(error, ValueError):  # it quotes a part of the URL, perhaps of the password
        return "the broker of Celery cannot be used: its URL ([celery] broker_url) cannot be parsed"
    return f"the broker of Celery cannot be used: {' '.join(str(error).split()) or type(error).__name__}"
