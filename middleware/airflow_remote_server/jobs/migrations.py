"""The tables of the job store, by version. A released migration is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

VERSIONS = Table("airflow_remote_version", MetaData(), Column("version", Integer, primary_key=True))


LONG = Text().with_variant(MEDIUMTEXT(), "mysql")
"""MySQL's TEXT holds 64 kB, but one argument may have twice as much."""


def create_jobs(connection: Connection) -> None:
    """Create the table of jobs."""
    metadata = MetaData()
    table = Table(
        "airflow_remote_job",
        metadata,
        Column("id", String(40), primary_key=True),
        Column("kind", String(10), nullable=False),
        Column("state", String(10), nullable=False),
        Column("node", String(80), nullable=False),
        Column("principal", String(100), nullable=False),
        Column("peer", String(100), nullable=False),
        Column("name", String(100), nullable=False),
        Column("command", LONG, nullable=False),
        Column("arguments", LONG, nullable=False),
        Column("created", Float(53), nullable=False),
        Column("key", String(255)),
        Column("digest", String(64), nullable=False),
        Column("started", Float(53)),
        Column("ended", Float(53)),
        Column("exit_code", Integer),
        Column("message", Text, nullable=False),
        Column("stdout_bytes", BigInteger, nullable=False),
        Column("stderr_bytes", BigInteger, nullable=False),
        Column("pid", Integer),
        # NULL is not equal to NULL, so that any number of jobs may have no key.
        UniqueConstraint("principal", "key", name="airflow_remote_job_key"),
    )
    Index("airflow_remote_job_state", table.c.state)
    metadata.create_all(connection, checkfirst=False)


def create_audit(connection: Connection) -> None:
    """Create the table of the audit log."""
    metadata = MetaData()
    table = Table(
        "airflow_remote_audit",
        metadata,
        Column("id", String(40), primary_key=True),
        Column("time", Float(53), nullable=False),
        Column("principal", String(100), nullable=False),
        Column("role", String(100), nullable=False),
        Column("peer", String(100), nullable=False),
        Column("method", String(20), nullable=False),
        Column("path", String(300), nullable=False),
        Column("name", String(100), nullable=False),
        Column("command", LONG, nullable=False),
        Column("status", Integer, nullable=False),
        Column("result", String(10), nullable=False),
        Column("layer", String(20), nullable=False),
        Column("message", Text, nullable=False),
        Column("seconds", Float(53), nullable=False),
        Column("job", String(40), nullable=False),
    )
    Index("airflow_remote_audit_time", table.c.time)
    Index("airflow_remote_audit_principal", table.c.principal, table.c.id)
    metadata.create_all(connection, checkfirst=False)


def add_ends_to_audit(connection: Connection) -> None:
    """Add the state and the exit code of the job to the audit log, and an index to find a job's entries."""
    table = Table("airflow_remote_audit", MetaData(), Column("job", String(40)))
    for column in ("state VARCHAR(10)", "exit_code INTEGER"):
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column}")
    Index("airflow_remote_audit_job", table.c.job).create(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (create_jobs, create_audit, add_ends_to_audit)
"""The first one creates version 1, and so on."""


def version_of(engine: Engine) -> int:
    """Return the version of the tables, or 0 if there are none."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(VERSIONS.name):
            return 0
        return max((row[0] for row in connection.execute(select(VERSIONS.c.version))), default=0)


def migrate(engine: Engine, retries: int = 5) -> None:
    """Migrate the tables to the newest version. Several processes may do so at the same time.

    :param engine: the engine of the database
    :param retries: how often to start again because another process migrates the tables
    :raises sqlalchemy.exc.SQLAlchemyError: if the database cannot be used
    """
    while (version := version_of(engine)) < len(MIGRATIONS):
        try:
            with engine.begin() as connection:
                VERSIONS.create(connection, checkfirst=True)
                # The first process to insert the version creates the tables; the others fail here.
                connection.execute(VERSIONS.insert().values(version=version + 1))
                MIGRATIONS[version](connection)
        except (IntegrityError, OperationalError, ProgrammingError):
            retries -= 1
            if retries < 0:
                raise
