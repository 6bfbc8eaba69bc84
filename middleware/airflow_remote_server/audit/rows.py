"""The table of the audit, in the database of the jobs."""

from __future__ import annotations

import time
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, column, delete, or_, select, table

from airflow_remote_server.audit import Entry
from airflow_remote_server.jobs.engine import BUSY_SECONDS
from airflow_remote_server.jobs.store import beginning, storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from airflow_remote_server.jobs.service import Jobs
    from airflow_remote_server.jobs.store import Store

COLUMNS = [field.name for field in fields(Entry)]
AUDIT = table("airflow_remote_audit", *[column(name) for name in COLUMNS])

LOCKED_SECONDS = 1.0
"""How long a request waits for a locked table."""

STRANGERS = 10
"""Of as many rows, one may be of nobody known: who is refused cannot push out what was run."""

TIDY_ROWS = 1000
"""Most old rows that are removed at a time."""

LONGEST = {"principal": 100, "role": 100, "peer": 100, "method": 20, "path": 300, "name": 100, "layer": 20}
LONGEST |= {"message": 1000, "job": 40, "command": 60_000}
"""Characters of a column."""

EXACT = ("principal", "peer", "result", "layer", "job")
"""Columns that can be asked for as they are."""


class Rows:
    """The rows.

    :param jobs: whose database they are in
    :param keep_seconds: how long they are kept
    :param keep: how many of them
    """

    def __init__(self, jobs: Jobs, keep_seconds: float, keep: int) -> None:
        self.jobs = jobs
        self.keep_seconds = keep_seconds
        self.keep = keep

    @property
    def store(self) -> Store:
        """The database, in a folder that is there.

        :raises Unavailable: when it cannot be made
        """
        _ = self.jobs.node
        return self.jobs.store

    def add(self, entry: Entry) -> None:
        """Add one, unless that takes long.

        :raises Unavailable: when it could not be written
        """
        row = {name: storable(value, LONGEST.get(name)) for name, value in asdict(entry).items()}

        def work(connection: Connection) -> None:
            kind = connection.dialect.name
            if kind == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(LOCKED_SECONDS * 1000)}")
            elif kind == "mysql":
                connection.exec_driver_sql(f"SET SESSION innodb_lock_wait_timeout = {int(LOCKED_SECONDS)}")
            elif kind == "sqlite":
                connection.exec_driver_sql(f"PRAGMA busy_timeout={int(LOCKED_SECONDS * 1000)}")
            try:
                connection.execute(AUDIT.insert().values(**row))
            finally:
                if kind == "sqlite":
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
                elif kind == "mysql":
                    connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = DEFAULT")

        self.store.do(work, patience=0.0)

    def find(
        self, limit: int, before: str | None = None, command: str | None = None, **exact: str | None
    ) -> list[Entry]:
        """Entries, newest first.

        :param limit: at most as many
        :param before: older than the one of this id
        :param command: whose endpoint or command line is or begins with this; ``*`` stands for any text
        :param exact: values of ``EXACT`` columns; None for any
        :raises Unavailable: when the database cannot be used
        """
        query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        wanted: list[Any] = [AUDIT.c[name] == value for name, value in exact.items() if value is not None]
        if before is not None:
            wanted.append(AUDIT.c.id < before)
        if command is not None:
            wanted.append(or_(*beginning(AUDIT.c.name, AUDIT.c.command, command)))
        query = query.where(and_(*wanted)) if wanted else query
        found = self.store.do(lambda connection: connection.execute(query).fetchall())
        return [Entry(**dict(zip(COLUMNS, row, strict=True))) for row in found]

    def tidy(self) -> None:
        """Remove what is old, and what is too much.

        :raises Unavailable: when the database cannot be used
        """
        oldest = time.time() - self.keep_seconds

        def work(connection: Connection) -> None:
            ids: set[str] = set()
            known, strangers = AUDIT.c.principal != "", AUDIT.c.principal == ""
            for whose, most in ((known, self.keep), (strangers, max(1, self.keep // STRANGERS))):
                newest = select(AUDIT.c.id).where(whose).order_by(AUDIT.c.id.desc())
                ids.update(row[0] for row in connection.execute(newest.offset(most).limit(TIDY_ROWS)))
            late = select(AUDIT.c.id).where(AUDIT.c.time < oldest).limit(TIDY_ROWS)
            ids.update(row[0] for row in connection.execute(late))
            for part in batches(sorted(ids)):
                connection.execute(delete(AUDIT).where(AUDIT.c.id.in_(part)))

        self.store.do(work, patience=0.0)


def batches(ids: list[str], size: int = 500) -> list[list[str]]:
    """Parts of a list that a statement of any database may name."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]
