"""Requests to stop the jobs of other nodes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from airflow_remote_server.jobs.models import directory_id
from airflow_remote_server.jobs.node_tables import STOPS

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import Delete

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.spools import JobSpools
    from airflow_remote_server.jobs.store import JobStore


def run_statement(statement: Delete, connection: Connection) -> None:
    """Execute a statement."""
    connection.execute(statement)


class StopRequests:
    """Sends requests to stop jobs to the nodes that run them.

    :param store: the job store
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def send(self, job: Job, force: bool, grace: float) -> None:
        """Ask a job's node to stop it.

        :param job: a job of another node
        :param force: whether to send SIGKILL at once
        :param grace: the time between SIGTERM and SIGKILL, in seconds
        :raises Unavailable: if the store cannot be used
        """
        row = {"job": job.id, "node": directory_id(job.node), "forced": int(force), "grace": grace}

        def write(connection: Connection) -> None:
            present = select(STOPS.c.forced).where(STOPS.c.job == job.id)
            earlier = connection.execute(present).scalar()
            if earlier is None or force > bool(earlier):
                connection.execute(delete(STOPS).where(STOPS.c.job == job.id))
                connection.execute(insert(STOPS), [row])

        try:
            self._store.run_transaction(write)
        except IntegrityError:
            self._store.run_transaction(write)  # another node has just sent the same

    def carry_out(self, spools: JobSpools) -> None:
        """Carry out the requests for jobs of this node.

        :param spools: the spools of this node
        :raises Unavailable: if the store cannot be used
        :raises OSError: if a spool cannot be written
        """
        own = STOPS.c.node == directory_id(spools.node)
        query = select(STOPS.c.job, STOPS.c.forced, STOPS.c.grace).where(own)
        rows = self._store.run_transaction(
            lambda connection: connection.execute(query).fetchall(), retry_for=0.0
        )
        for job_id, forced, grace in rows:
            spools.request_stop(job_id, bool(forced), grace)
            # A request with force that came meanwhile is kept.
            done = delete(STOPS).where(STOPS.c.job == job_id, STOPS.c.forced == forced)
            self._store.run_transaction(partial(run_statement, done), retry_for=0.0)
