"""Assemble the job service from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import URL

from airflow_remote_server.execution.client import ForkServerClient
from airflow_remote_server.execution.cold_start import ColdStarter
from airflow_remote_server.execution.fingerprint import current_fingerprint
from airflow_remote_server.jobs.nodes.agent_starter import AgentStarter
from airflow_remote_server.jobs.nodes.celery_workers import CeleryWorkers
from airflow_remote_server.jobs.nodes.copies import SpoolCopies
from airflow_remote_server.jobs.nodes.node import Node
from airflow_remote_server.jobs.nodes.objects import ObjectStore
from airflow_remote_server.jobs.nodes.offers import CommandFiles
from airflow_remote_server.jobs.nodes.output_health import OutputHealth
from airflow_remote_server.jobs.nodes.pieces import PieceStore
from airflow_remote_server.jobs.nodes.worker_queue import WorkerQueue
from airflow_remote_server.jobs.service import JobService
from airflow_remote_server.jobs.spools import OUTGOING, JobSpools
from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    from airflow_remote_server.config.settings import Settings


def store_url(settings: Settings) -> str | URL:
    """Return the URL of the job store: that of ``jobs_url``, or of a SQLite file in the state directory."""
    return settings.jobs_url or URL.create("sqlite", database=str(settings.state_dir / "jobs.db"))


def make_jobs(settings: Settings, worker: bool = False) -> JobService:
    """Return the job service of a configuration.

    :param settings: the configuration
    :param worker: whether it is that of a Celery worker, which leaves dead nodes to the webservers
    """
    state_dir = settings.state_dir
    cold = ColdStarter(state_dir, settings.max_running)
    launcher = ForkServerClient(state_dir / "host", current_fingerprint, cold, settings.max_workers)
    store = JobStore(store_url(settings))
    health = OutputHealth(settings)
    health.log_changes()
    files = CommandFiles.from_keys(settings.fernet_key) if settings.shares_output else None
    workers = make_workers(settings, store, files)
    if not settings.shares_output:
        return JobService(settings, store, JobSpools(state_dir), launcher, workers=workers)
    objects = ObjectStore(settings.output_url) if settings.output_url else None
    copies = SpoolCopies(state_dir / "copies", PieceStore(store, objects))
    starter = AgentStarter(state_dir, settings.jobs_url, settings.fernet_key, settings.output_url)
    node = Node(store, copies, starter, files, health, watches=not worker)
    return JobService(settings, store, JobSpools(state_dir, copies), launcher, node, workers)


def make_workers(settings: Settings, store: JobStore, files: CommandFiles | None) -> CeleryWorkers | None:
    """Return the Celery workers of a configuration; None if it has none.

    :param settings: the configuration
    :param store: the job store
    :param files: encrypts the commands that wait for them; None without a key, or a store that is shared
    """
    if not settings.celery_queue:
        return None
    return CeleryWorkers(settings, WorkerQueue(store), files, settings.state_dir / OUTGOING)
