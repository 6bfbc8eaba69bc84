"""The commands that wait for a Celery worker: their files are in the shared store, encrypted.

A worker that takes a command becomes the node of its job, in one transaction. So a command runs once, however
often the broker delivers its message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, exists, insert, not_, select, update

from airflow_remote_server.jobs.models import JobState, directory_id, id_prefix
from airflow_remote_server.jobs.node_tables import OFFERS, STOPS
from airflow_remote_server.jobs.rows import JOBS, is_of_node, job_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import ColumnElement

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.store import JobStore

WAITING = "celery"
"""The node of jobs that wait for a worker. No state directory has this id."""

MOST = 10_000
"""The maximum number of jobs that are looked at together."""


class WorkerQueue:
    """The jobs that wait for a worker.

    :param store: the job store
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def put(self, job_id: str, data: bytes) -> bool:
        """Let workers take a command.

        :param job_id: the id of its job, whose node is ``WAITING``
        :param data: its files, encrypted
        :returns: False if the job was deleted or given up meanwhile
        :raises Unavailable: if the store cannot be used
        """

        def write(connection: Connection) -> bool:
            query = select(JOBS.c.id).where(_waits(job_id)).with_for_update()
            if connection.execute(query).scalar() is None:
                return False
            connection.execute(delete(OFFERS).where(OFFERS.c.job == job_id))
            connection.execute(insert(OFFERS), [{"job": job_id, "node": WAITING, "data": data}])
            return True

        return self._store.run_transaction(write)

    def read(self, job_id: str) -> bytes | None:
        """Return the files of a command that waits; None if it does not.

        :param job_id: the id of its job
        :raises Unavailable: if the store cannot be used
        """
        query = select(OFFERS.c.data).where(OFFERS.c.job == job_id, OFFERS.c.node == WAITING)
        data = self._store.run_transaction(lambda connection: connection.execute(query).scalar())
        return None if data is None else bytes(data)

    def take(self, job_id: str, node: str) -> bool:
        """Make a node the one that runs a command.

        :param job_id: the id of its job
        :param node: the node
        :returns: False if another worker has taken the command, or it was stopped
        :raises Unavailable: if the store cannot be used
        """

        def take(connection: Connection) -> bool:
            offer = and_(OFFERS.c.job == job_id, OFFERS.c.node == WAITING)
            if not connection.execute(delete(OFFERS).where(offer)).rowcount:
                # The transaction is repeated if the answer to its commit was lost.
                queued = (JOBS.c.id == job_id, JOBS.c.state == JobState.QUEUED.value, is_of_node(node))
                return connection.execute(select(JOBS.c.id).where(*queued)).scalar() is not None
            requests = update(STOPS).where(STOPS.c.job == job_id)
            connection.execute(requests.values(node=directory_id(node)))
            taken = update(JOBS).where(_waits(job_id)).values(node=node)
            return bool(connection.execute(taken).rowcount)

        return self._store.run_transaction(take)

    def withdraw(self, job_id: str) -> bool:
        """Keep workers from taking a command.

        :param job_id: the id of its job
        :returns: False if a worker has taken it
        :raises Unavailable: if the store cannot be used
        """

        def withdraw(connection: Connection) -> bool:
            offer = and_(OFFERS.c.job == job_id, OFFERS.c.node == WAITING)
            return bool(connection.execute(delete(OFFERS).where(offer)).rowcount)

        return self._store.run_transaction(withdraw)

    def find_waiting(self, before: float) -> list[str]:
        """Return the ids of jobs that no worker has taken, the oldest first.

        :param before: only jobs that are older, in seconds since the epoch
        :raises Unavailable: if the store cannot be used
        """
        old = and_(OFFERS.c.node == WAITING, OFFERS.c.job < id_prefix(before))
        query = select(OFFERS.c.job).where(old).order_by(OFFERS.c.job).limit(MOST)
        return self._store.run_transaction(lambda connection: list(connection.execute(query).scalars()))

    def find_abandoned(self, before: float) -> list[Job]:
        """Return jobs without files: their webserver ended before it had written them.

        :param before: only jobs that are older, in seconds since the epoch
        :raises Unavailable: if the store cannot be used
        """
        offered = exists(select(OFFERS.c.job).where(OFFERS.c.job == JOBS.c.id))
        query = select(JOBS).where(_is_waiting(), JOBS.c.id < id_prefix(before), not_(offered)).limit(MOST)
        rows = self._store.run_transaction(lambda connection: connection.execute(query).fetchall())
        return [job_of(row) for row in rows]


def _is_waiting() -> ColumnElement[bool]:
    return and_(JOBS.c.state == JobState.QUEUED.value, is_of_node(WAITING))


def _waits(job_id: str) -> ColumnElement[bool]:
    return and_(JOBS.c.id == job_id, _is_waiting())
