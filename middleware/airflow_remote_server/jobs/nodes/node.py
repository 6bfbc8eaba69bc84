"""The part that the web server of a node takes in a store that several nodes share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_remote_server.jobs.models import directory_id
from airflow_remote_server.jobs.nodes.heartbeats import DEAD_SECONDS, NodeMonitor
from airflow_remote_server.jobs.nodes.offers import Offers
from airflow_remote_server.jobs.nodes.stops import StopRequests
from airflow_remote_server.jobs.nodes.worker_queue import WAITING, WorkerQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.nodes.agent_starter import AgentStarter
    from airflow_remote_server.jobs.nodes.copies import SpoolCopies
    from airflow_remote_server.jobs.nodes.offers import CommandFiles
    from airflow_remote_server.jobs.nodes.output_health import OutputHealth
    from airflow_remote_server.jobs.sharing import Fill
    from airflow_remote_server.jobs.store import JobStore


class Node:
    """A node, as its web workers see it.

    :param store: the shared store
    :param copies: the copies of the spools of other nodes
    :param starter: starts the agent of this node
    :param files: decrypts the queued commands of other nodes; None if they are not offered
    :param health: writes problems of the object store to the log
    :param watches: whether it looks for dead nodes; otherwise, other nodes do
    """

    def __init__(
        self,
        store: JobStore,
        copies: SpoolCopies,
        starter: AgentStarter,
        files: CommandFiles | None,
        health: OutputHealth,
        watches: bool = True,
    ) -> None:
        self.copies = copies
        self._offers = Offers(store)
        self._files = files
        self._stops = StopRequests(store)
        self._queue = WorkerQueue(store)
        self._monitor = NodeMonitor(store)
        self._starter = starter
        self._health = health
        self._watches = watches

    def stop(self, job: Job, force: bool, grace: float) -> None:
        """Ask the node of a job to stop it.

        :param job: a job of another node
        :param force: whether to send SIGKILL at once
        :param grace: the time between SIGTERM and SIGKILL, in seconds
        :raises Unavailable: if the store cannot be used
        """
        self._stops.send(job, force, grace)

    def withdraw(self, job: Job) -> bool:
        """Keep Celery workers from taking a job that waits for one.

        :param job: an active job of another node
        :returns: False if it does not wait
        :raises Unavailable: if the store cannot be used
        """
        return directory_id(job.node) == WAITING and self._queue.withdraw(job.id)

    def maintain(
        self, own: str, resume: Callable[[str, Fill], None], give_up: Callable[[str, str], None]
    ) -> None:
        """Keep the agent running, and delete copies that nobody reads. If a node is dead, run its queue.

        Only the web worker that watches the jobs of this node does this.

        :param own: this node
        :param resume: called with the id of each job that was taken over, and a function that fills its spool
        :param give_up: called with each dead node, and why its jobs are lost
        :raises Unavailable: if the store cannot be used
        """
        self._starter.ensure_runs()
        self._health.log_changes()
        for identity, host in self._monitor.find_dead().items() if self._watches else ():
            if identity != directory_id(own):
                self._take_over(identity, own, resume)
                lost = f"job lost: its node {host} has not answered for {DEAD_SECONDS:g} s"
                give_up(identity, f"{lost}; the changes it made before remain")
                self._monitor.remove(identity)
        self.copies.remove_unused()

    def _take_over(self, dead: str, own: str, resume: Callable[[str, Fill], None]) -> None:
        """Run the commands that a dead node has offered."""
        files = self._files
        while files is not None and (taken := self._offers.take(dead, own)) is not None:
            for job_id, data in taken.items():
                self.copies.remove(job_id)
                resume(job_id, partial(files.unpack, data))
