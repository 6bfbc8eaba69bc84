"""Run Celery's worker program with our task."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from celery.signals import worker_process_init

from airflow_remote_server.celery_engine.runner import CommandRunner, worker_settings
from airflow_remote_server.errors import Unavailable
from airflow_remote_server.integrations.celery_app import make_celery_app
from airflow_remote_server.jobs.factory import make_jobs
from airflow_remote_server.jobs.nodes.celery_workers import TASK, find_problem
from airflow_remote_server.jobs.nodes.offers import CommandFiles
from airflow_remote_server.util import locks
from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_remote_server.config.settings import Settings

LOCK = "worker.lock"
"""The lock file of a worker, in its state directory."""

MOST_WORKERS = 100
"""The maximum number of workers of one Airflow home on one machine."""

START_SECONDS = 60.0
"""How long a process of the pool may take to start, in seconds."""


def claim_state_dir(settings: Settings) -> tuple[Path, int]:
    """Find a state directory that no other worker uses, and lock it.

    Webservers have another one. A worker that is started again gets the one that it had.

    :param settings: the configuration
    :returns: the directory, and its number
    :raises Unavailable: if there is none, or it cannot be written
    """
    root = settings.state_dir.with_name(f"{settings.state_dir.name}_workers")
    try:
        make_private_dir(root)
        for number in range(1, MOST_WORKERS + 1):
            folder = make_private_dir(root / f"{socket.gethostname()[:60]}-{number}")
            if locks.acquire(folder / LOCK) is not None:  # until this process ends
                return folder, number
    except OSError as error:
        raise Unavailable(f"cannot write to {root} ({error.strerror})") from error
    raise Unavailable(f"{MOST_WORKERS} workers use {root} already")


class Runners:
    """The runner of each process of a worker: a connection to a database does not survive a fork.

    :param settings: the configuration
    :param state_dir: the state directory of the worker
    """

    def __init__(self, settings: Settings, state_dir: Path) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._runner: CommandRunner | None = None

    def get(self, **_: Any) -> CommandRunner:
        """Return the runner of this process; the first call makes it."""
        if self._runner is None or self._runner.pid != os.getpid():
            self._runner = CommandRunner(self._settings, self._state_dir)
            self._runner.watch()
        return self._runner


def make_worker_app(settings: Settings, runners: Runners) -> Any:
    """Return the Celery application of a worker.

    :param settings: the configuration
    :param runners: run its commands
    :raises Unavailable: if Airflow's configuration of Celery cannot be used
    """
    app = make_celery_app(sends=False)
    app.conf.update(
        # A message stays with the broker until its command has ended, and nothing waits behind it.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.max_running,
        task_ignore_result=True,
        worker_proc_alive_timeout=START_SECONDS,
        # Commands go on without the broker.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
    )

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run(job_id: str) -> None:
        runners.get().run(job_id)

    worker_process_init.connect(runners.get, weak=False)
    return app


def run_worker(settings: Settings, options: Sequence[str]) -> None:
    """Run a worker until it is stopped.

    :param settings: the configuration
    :param options: options of Celery's worker program
    :raises Unavailable: if the configuration does not allow workers
    """
    if not settings.celery_queue:
        raise Unavailable("[rest_api_plugin] celery_queue is not set: name the queue of the workers")
    problem = find_problem(settings, CommandFiles.from_keys(settings.fernet_key))
    if problem:
        raise Unavailable(problem)
    state_dir, number = claim_state_dir(settings)
    app = make_worker_app(settings, Runners(settings, state_dir))
    make_jobs(worker_settings(settings, state_dir), worker=True).prepare()
    name = f"airflow-remote-{number}@%h"  # Airflow's own worker on this machine has Celery's default
    app.worker_main(["worker", "--queues", settings.celery_queue, "--hostname", name, *options])
