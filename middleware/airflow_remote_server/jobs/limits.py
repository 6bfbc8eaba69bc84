"""Add a job in one transaction with the checks of its limits.

On databases other than SQLite, jobs that are added at the same time may exceed a limit by a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, func, select

from airflow_remote_server.jobs.migrations import VERSIONS
from airflow_remote_server.jobs.rows import JOBS, is_of_node, row_of
from airflow_remote_server.jobs.statements import INSERT, IS_ACTIVE, PreparedStatement

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from airflow_remote_server.jobs.models import Job


class QueueFull(Exception):
    """Raised if as many commands are active as the settings allow.

    :param share: whether the principal has used up its share; others may still add commands
    """

    def __init__(self, share: bool = False) -> None:
        super().__init__()
        self.share = share


class AlreadyActive(Exception):
    """Raised if another node has added a job for the same service."""


@dataclass(frozen=True)
class JobLimits:
    """What must hold when a job is added.

    :param max_active: the maximum number of active commands of its node, with this one; None for no limit
    :param max_share: the same for those of its principal
    :param shared: whether the principal's commands of all nodes count
    :param alone: whether no service with the same command line may be active
    """

    max_active: int | None
    max_share: int | None
    shared: bool
    alone: bool


@lru_cache
def count_active(node: str) -> PreparedStatement:
    """Return the statement that counts the active commands of a node.

    :param node: the node
    """
    active = and_(IS_ACTIVE, is_of_node(node), JOBS.c.kind == "command")
    return PreparedStatement(select(func.count()).select_from(JOBS).where(active))


@lru_cache
def count_of_owner(node: str | None) -> PreparedStatement:
    """Return the statement that counts the active commands of the principal ``owner``.

    :param node: the node; None for all nodes
    """
    of_owner = and_(IS_ACTIVE, JOBS.c.principal == bindparam("owner"), JOBS.c.kind == "command")
    query = select(func.count()).select_from(JOBS).where(of_owner)
    return PreparedStatement(query if node is None else query.where(is_of_node(node)))


def lock(connection: Connection) -> None:
    """Let no other transaction that calls this continue before this one ends; SQLite has one writer anyway.

    :param connection: the connection of a transaction
    """
    connection.execute(select(VERSIONS.c.version).where(VERSIONS.c.version == 1).with_for_update())


def find_same_service(connection: Connection, job: Job) -> bool:
    """Return whether a service with the same command line is active on any node.

    :param connection: the connection of a transaction
    :param job: the job of the service
    """
    same = and_(IS_ACTIVE, JOBS.c.kind == job.kind, JOBS.c.command == row_of(job)["command"])
    return connection.execute(select(JOBS.c.id).where(same).limit(1)).scalar() is not None


def insert_within(connection: Connection, job: Job, limits: JobLimits) -> None:
    """Add a job if it is within the limits.

    :param connection: the connection of a transaction
    :param job: the job
    :param limits: the limits
    :raises QueueFull: if too many commands are active
    :raises AlreadyActive: if the service must be alone, and is not
    """
    if limits.alone:
        lock(connection)
        if find_same_service(connection, job):
            raise AlreadyActive
    # The insert comes first, because it locks SQLite against other writers until the count is done.
    INSERT.execute(connection, row_of(job))
    if limits.max_active is not None:
        active = count_active(job.node).execute(connection, {}).scalar_one()
        if active > limits.max_active:
            raise QueueFull
    if limits.max_share is not None:
        own = count_of_owner(None if limits.shared else job.node)
        if own.execute(connection, {"owner": job.principal}).scalar_one() > limits.max_share:
            raise QueueFull(share=True)
