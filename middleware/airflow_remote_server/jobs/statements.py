"""The statements that every command executes, compiled once: SQLAlchemy takes longer than the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_

from airflow_remote_server.jobs.models import ACTIVE
from airflow_remote_server.jobs.rows import JOBS, row_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import Executable

    from airflow_remote_server.jobs.models import Job

RESULT_COLUMNS = ("state", "started", "ended", "exit_code", "message", "stdout_bytes", "stderr_bytes", "pid")
"""The columns that change when a job ends."""


class PreparedStatement:
    """A statement that is compiled once for each kind of database and driver.

    :param statement: a statement of columns without types, since no value is converted; without ``IN``, which
        has to be compiled for each list
    """

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._compiled: dict[tuple[str, str], Any] = {}

    def execute(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Execute the statement, and return the result.

        :param connection: the connection of a transaction
        :param values: the value of each parameter that has none in the statement
        """
        dialect = connection.dialect
        kind = dialect.name, dialect.paramstyle
        compiled = self._compiled.get(kind)
        if compiled is None:
            names = list(values) if self._statement.is_insert else None
            compiled = self._statement.compile(dialect=dialect, column_keys=names)
            self._compiled[kind] = compiled
        parameters = {**compiled.params, **values}
        if not compiled.positional:
            return connection.exec_driver_sql(compiled.string, parameters)
        ordered = tuple(parameters[name] for name in compiled.positiontup)
        return connection.exec_driver_sql(compiled.string, ordered)


IS_ACTIVE = or_(*(JOBS.c.state == state.value for state in ACTIVE))

INSERT = PreparedStatement(JOBS.insert())

RECORD_END = PreparedStatement(
    JOBS.update()
    .where(JOBS.c.id == bindparam("job_id"), IS_ACTIVE)
    .values({name: bindparam(f"new_{name}") for name in RESULT_COLUMNS})
)


def record_end(connection: Connection, job: Job) -> bool:
    """Record how a job ended, unless that is recorded already.

    :param connection: the connection of a transaction
    :param job: the job in its final state
    :returns: whether it was not recorded before
    """
    row = row_of(job)
    values = {f"new_{name}": row[name] for name in RESULT_COLUMNS}
    return bool(RECORD_END.execute(connection, {"job_id": job.id, **values}).rowcount)
