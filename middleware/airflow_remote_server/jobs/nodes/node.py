"""The part that the web server of a node takes in a store that several nodes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.jobs.models import directory_id
from airflow_remote_server.jobs.nodes.heartbeats import DEAD_SECONDS, NodeMonitor
from airflow_remote_server.jobs.nodes.stops import StopRequests

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.nodes.agent_starter import AgentStarter
    from airflow_remote_server.jobs.nodes.copies import SpoolCopies
    from airflow_remote_server.jobs.store import JobStore


class Node:
    """A node, as its web workers see it.

    :param store: the shared store
    :param copies: the copies of the spools of other nodes
    :param starter: starts the agent of this node
    """

    def __init__(self, store: JobStore, copies: SpoolCopies, starter: AgentStarter) -> None:
        self.copies = copies
        self._stops = StopRequests(store)
        self._monitor = NodeMonitor(store)
        self._starter = starter

    def stop(self, job: Job, force: bool, grace: float) -> None:
        """Ask the node of a job to stop it.

        :param job: a job of another node
        :param force: whether to send SIGKILL at once
        :param grace: the time between SIGTERM and SIGKILL, in seconds
        :raises Unavailable: if the store cannot be used
        """
        self._stops.send(job, force, grace)

    def maintain(self, own: str, give_up: Callable[[str, str], None]) -> None:
        """Keep the agent running, give up the jobs of dead nodes, and delete copies that nobody reads.

        Only the web worker that watches the jobs of this node does this.

        :param own: this node
        :param give_up: called with each dead node, and why its jobs are lost
        :raises Unavailable: if the store cannot be used
        """
        self._starter.ensure_runs()
        for identity, host in self._monitor.find_dead().items():
            if identity != directory_id(own):
                lost = f"job lost: its webserver {host} has not answered for {DEAD_SECONDS:g} s"
                give_up(identity, f"{lost}; the changes it made before remain")
        self.copies.remove_unused()
