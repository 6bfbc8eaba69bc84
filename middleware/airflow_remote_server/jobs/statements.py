"""The statements that every command executes, built once: building one takes longer than executing it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, select

from airflow_remote_server.jobs.models import ACTIVE
from airflow_remote_server.jobs.rows import JOBS, is_of_node, row_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import Select

    from airflow_remote_server.jobs.models import Job

RESULT_COLUMNS = ("state", "started", "ended", "exit_code", "message", "stdout_bytes", "stderr_bytes", "pid")
"""The columns that change when a job ends."""

ACTIVE_NAMES = [state.value for state in ACTIVE]

INSERT = JOBS.insert()

RECORD_END = JOBS.update().where(JOBS.c.id == bindparam("job_id"), JOBS.c.state.in_(ACTIVE_NAMES))


@lru_cache
def count_active(node: str) -> tuple[Select[Any], Select[Any]]:
    """Return the statements that count the active commands of a node: all, and those of an ``owner``.

    :param node: the node
    """
    active = and_(JOBS.c.state.in_(ACTIVE_NAMES), is_of_node(node), JOBS.c.kind == "command")
    count = select(func.count()).select_from(JOBS).where(active)
    return count, count.where(JOBS.c.principal == bindparam("owner"))


def record_end(connection: Connection, job: Job) -> bool:
    """Record how a job ended, unless that is recorded already.

    :param connection: the connection of a transaction
    :param job: the job in its final state
    :returns: whether it was not recorded before
    """
    row = row_of(job)
    values = {name: row[name] for name in RESULT_COLUMNS}
    return bool(connection.execute(RECORD_END, {"job_id": job.id, **values}).rowcount)
