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


class Workers(Protocol):
    """Workers on other machines that run some of the commands."""

    @property
    def node(self) -> str:
        """Return the node of the jobs that wait for a worker."""

    def accepts(self, names: tuple[str, ...]) -> bool:
        """Return whether workers are to run a command.

        :param names: its name in the installed Airflow, and those of classic endpoints
        """

    def require_usable(self) -> None:
        """Check that commands can be handed over.

        :raises Unavailable: saying what is missing
        """

    def hand_over(self, job: Job, spool: Spool) -> None:
        """Let a worker run a command.

        :param job: its job
        :param spool: its prepared spool, which is removed
        :raises TooLarge: if its files are too large
        :raises Unavailable: if no worker will run it
        """

    def maintain(self, give_up: Callable[[Job, str], None]) -> None:
        """Do what is due.

        :param give_up: called with each job that no worker will run, and why
        :raises Unavailable: if the store cannot be used
        """


class NodeWork(Protocol):
    """The part that a node takes in a shared store."""

    def stop(self, job: Job, force: bool, grace: float) -> None:
        """Ask the node of a job to stop it.

        :raises Unavailable: if the store cannot be used
        """

    def withdraw(self, job: Job) -> bool:
        """Keep workers from taking a job that waits for one.

        :returns: False if it does not wait
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
