"""What the job service needs of the other nodes, if several nodes share its store (``nodes``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.jobs.models import Job


Fill = Callable[[Path], None]
"""Write the files of a queued command into a directory; it raises OSError or ValueError if it cannot."""


class Copies(Protocol):
    """Copies of the spools of other nodes."""

    def spool_of(self, job_id: str) -> Spool:
        """Return the copy of a job's spool.

        :raises Unavailable: if the store cannot be used, or the copy cannot be written
        """

    def is_complete(self, job: Job) -> bool:
        """Return whether no further output of an ended job is to be expected."""

    def remove(self, job_id: str) -> None:
        """Delete the copy of a job's spool, if there is one."""


class NodeWork(Protocol):
    """The part that a node takes in a shared store."""

    def stop(self, job: Job, force: bool, grace: float) -> None:
        """Ask the node of a job to stop it.

        :raises Unavailable: if the store cannot be used
        """

    def maintain(
        self, own: str, resume: Callable[[str, Fill], None], give_up: Callable[[str, str], None]
    ) -> None:
        """Do what is due on this node.

        :param own: this node
        :param resume: called with the id of each job that was taken over, and a function that fills its spool
        :param give_up: called with each dead node, and why its jobs are lost
        :raises Unavailable: if the store cannot be used
        """
