"""The table of the audit log, in the database of the job store."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import String, bindparam, case, column, delete, func, or_, select, table

from airflow_remote_server.jobs.audit.entry import AuditEntry
from airflow_remote_server.jobs.engine import BUSY_SECONDS
from airflow_remote_server.jobs.listing import Listing
from airflow_remote_server.jobs.models import ACTIVE, JobState, is_success
from airflow_remote_server.jobs.rows import JOBS
from airflow_remote_server.jobs.sql import matches_command, storable
from airflow_remote_server.jobs.statements import PreparedStatement, record_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sqlalchemy.engine import Connection

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService

    T = TypeVar("T")

COLUMNS = [field.name for field in fields(AuditEntry)]
AUDIT = table("airflow_remote_audit", *[column(name) for name in COLUMNS])
INSERT = PreparedStatement(AUDIT.insert())

LOCK_SECONDS = 1.0
"""How long a request waits for a locked table."""

UNAUTHENTICATED_SHARE = 10
"""One row in this many may come from unauthenticated clients, so that they cannot displace the others."""

PRUNE_ROWS = 1000
"""The maximum number of rows that are deleted at once, for each of the two reasons."""

OPEN_ROWS = 20_000
"""The maximum number of entries without the end of their job that are checked; fewer jobs are active."""

DELETE_ROWS = 500
"""The maximum number of ids in one statement."""

LONGEST = {"principal": 100, "role": 100, "peer": 100, "method": 20, "path": 300, "name": 100, "layer": 20}
LONGEST |= {"message": 1000, "job": 40, "command": 60_000}
"""The maximum number of characters of a column."""

STOP = "stop"
"""The name of entries about requests to stop a job."""

RECORD_END = PreparedStatement(
    AUDIT.update()
    .where(AUDIT.c.job == bindparam("job_id"), AUDIT.c.state.is_(None))
    .values(
        state=bindparam("final_state"),
        exit_code=bindparam("final_code"),
        result=case(
            (AUDIT.c.result != "running", AUDIT.c.result),
            (AUDIT.c.name == STOP, bindparam("result_of_stop", type_=String())),
            else_=bindparam("result_of_command", type_=String()),
        ),
    )
)

END_COLUMNS = (JOBS.c.state, JOBS.c.exit_code, JOBS.c.kind, JOBS.c.message)
"""The columns of a job that say how it ended."""

EXACT = ("principal", "peer", "result", "layer", "job")
"""Columns that can be filtered by their exact value; each has an index."""


class AuditTable:
    """The rows of the audit log.

    :param jobs: the jobs, whose database holds the table
    :param keep_seconds: how long rows are kept
    :param keep: number of rows that are kept
    """

    def __init__(self, jobs: JobService, keep_seconds: float, keep: int) -> None:
        self.jobs = jobs
        self.keep_seconds = keep_seconds
        self.keep = keep

    def add(self, entry: AuditEntry, ended: Job | None = None) -> bool:
        """Add an entry, unless the table stays locked for too long.

        The same transaction records the end of the job if the caller has it, so a command takes two in all.

        The job of the entry may end at any moment. So the entry is added first, and then its job is looked at
        again: whoever records the end of the job later finds the entry.

        :param entry: the entry
        :param ended: its job, if its end may not be recorded yet
        :returns: whether there was an entry of the job that did not say how it ended; the rows say so
        :raises Unavailable: if it could not be written
        """
        row = {name: storable(value, LONGEST.get(name)) for name, value in vars(entry).items()}

        def insert(connection: Connection) -> bool:
            changed = 0
            if ended is not None and record_end(connection, ended):
                changed = _record_end(connection, ended.id, *end_of(ended))
            INSERT.execute(connection, row)
            if changed:
                return True
            if not entry.job or entry.state is not None:
                return False
            # The lock keeps the job from ending between this query and the commit.
            query = select(*END_COLUMNS).where(JOBS.c.id == entry.job)
            job = connection.execute(query.with_for_update(read=True)).fetchone()
            return job is not None and bool(_record_end(connection, entry.job, *job))

        return self._run_briefly(insert)

    def record_end(self, job: Job) -> bool:
        """Record how a job ended in the entries of its requests.

        :param job: an ended job
        :returns: whether there was an entry that did not say so
        :raises Unavailable: if the table stays locked for too long, or cannot be used
        """
        return self._run_briefly(lambda connection: bool(_record_end(connection, job.id, *end_of(job))))

    def _run_briefly(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that waits only briefly for locks.

        :param work: called with a connection
        :raises Unavailable: if the table stays locked for too long, or cannot be used
        """

        def run(connection: Connection) -> T:
            dialect = connection.dialect.name
            if dialect == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(LOCK_SECONDS * 1000)}")
            elif dialect == "mysql":
                connection.exec_driver_sql(f"SET SESSION innodb_lock_wait_timeout = {int(LOCK_SECONDS)}")
            elif dialect == "sqlite":
                connection.exec_driver_sql(f"PRAGMA busy_timeout={int(LOCK_SECONDS * 1000)}")
            try:
                return work(connection)
            finally:
                if dialect == "sqlite":
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
                elif dialect == "mysql":
                    connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = DEFAULT")

        return self._run(run, retry_for=0.0)

    def find_page(
        self, limit: int, before: str | None = None, command: str | None = None, **exact: str | None
    ) -> tuple[list[AuditEntry], str | None]:
        """Return a page of entries, newest first.

        :param limit: the maximum number of entries
        :param before: only entries older than the one with this id
        :param command: only entries with this endpoint name or command-line prefix; ``*`` matches any text
        :param exact: values of ``EXACT`` columns; None for any
        :returns: the entries, which may be few (see ``listing``), and the ``before`` of the next page; None
            if this is the last one
        :raises Unavailable: if the database cannot be used
        """
        indexed = {name: [value] for name, value in exact.items() if value is not None}
        others = [] if command is None else [or_(*matches_command(AUDIT.c.name, AUDIT.c.command, command))]
        if indexed.get("job") == [""]:  # the index of jobs is sorted by id for those with few entries only
            del indexed["job"]
            others.append(func.coalesce(AUDIT.c.job, "") == "")
        listing = Listing([AUDIT.c[name] for name in COLUMNS], indexed, others)
        page = self._run(lambda connection: listing.read(connection, before, limit))
        return [AuditEntry(**dict(zip(COLUMNS, row, strict=True))) for row in page.rows], page.following

    def prune(self) -> None:
        """Delete expired rows, and the oldest rows above the maximum number.

        Also record the ends of jobs that could not be recorded in time, since the jobs are deleted earlier.

        :raises Unavailable: if the database cannot be used
        """
        expired = select(AUDIT.c.id).where(AUDIT.c.time < time.time() - self.keep_seconds).limit(PRUNE_ROWS)
        unauthenticated = AUDIT.c.principal == ""
        # Without a function, SQLite would sort all rows to find the oldest ones.
        authenticated = func.coalesce(AUDIT.c.principal, "") != ""
        limits = (
            (AUDIT.c.principal > "", authenticated, self.keep),
            (unauthenticated, unauthenticated, max(1, self.keep // UNAUTHENTICATED_SHARE)),
        )
        # A join could read all jobs. These subqueries look up the jobs of the few entries without an end.
        ended = [
            select(column).where(JOBS.c.id == AUDIT.c.job, JOBS.c.ended.is_not(None)).scalar_subquery()
            for column in END_COLUMNS
        ]
        unrecorded = (
            select(AUDIT.c.job, *ended).where(AUDIT.c.state.is_(None), AUDIT.c.job > "").limit(OPEN_ROWS)
        )

        def delete_expired(connection: Connection) -> None:
            for job_id, *end in connection.execute(unrecorded).fetchall():
                if end[0] is not None:
                    _record_end(connection, job_id, *end)
            ids = {row[0] for row in connection.execute(expired)}
            for counted, condition, keep in limits:
                # Counting the entries of an index is much cheaper than skipping the newest rows.
                count = select(func.count()).select_from(AUDIT).where(counted)
                surplus = min(connection.execute(count).scalar_one() - keep, PRUNE_ROWS)
                if surplus > 0:
                    oldest = select(AUDIT.c.id).where(condition).order_by(AUDIT.c.id).limit(surplus)
                    ids.update(row[0] for row in connection.execute(oldest))
            ordered = sorted(ids)
            for start in range(0, len(ordered), DELETE_ROWS):
                batch = ordered[start : start + DELETE_ROWS]
                connection.execute(delete(AUDIT).where(AUDIT.c.id.in_(batch)))

        self._run(delete_expired, retry_for=0.0)

    def _run(self, work: Callable[[Connection], T], **options: float) -> T:
        """Run a transaction in the job store, whose database may be in the state directory.

        :param work: the same as in ``JobStore.run_transaction``, like the options
        :raises Unavailable: if the database or the state directory cannot be used
        """
        self.jobs.spools.ensure_state_dir()
        return self.jobs.store.run_transaction(work, **options)


def end_of(job: Job) -> tuple[str, int | None, str, str]:
    """Return the values of ``END_COLUMNS`` for a job."""
    return job.state.value, job.exit_code, job.kind, job.message


def _record_end(
    connection: Connection, job_id: str, state: str, exit_code: int | None, kind: str, message: str
) -> int:
    """Record how a job ended in its entries, unless it is active or they say so already.

    :param connection: the connection of a transaction
    :param job_id: the job
    :param state: its state
    :param exit_code: its exit code; None if there is none
    :param kind: ``command`` or ``service``
    :param message: its error
    :returns: the number of entries that have changed
    """
    if JobState(state) in ACTIVE:
        return 0
    values = {
        "job_id": job_id,
        "final_state": state,
        "final_code": exit_code,
        "result_of_stop": result_of_job(STOP, state, kind, message),
        "result_of_command": result_of_job("", state, kind, message),
    }
    return int(RECORD_END.execute(connection, values).rowcount)


def result_of_job(name: str, state: str, kind: str, message: str) -> str:
    """Return the result of a request whose job has ended: ``done`` or ``failed``.

    :param name: name of the entry; a request to stop a job is done when the job has ended
    :param state: the final state of the job
    :param kind: ``command`` or ``service``
    :param message: its error
    """
    return "done" if name == STOP or is_success(state, kind, message) else "failed"
