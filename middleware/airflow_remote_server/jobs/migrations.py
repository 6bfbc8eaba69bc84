"""The tables of the store, version by version. A migration is never changed once it was released."""

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
"""MySQL's TEXT has 64 kB; one argument may have twice as much."""


def one(connection: Connection) -> None:
    """Jobs."""
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
        # NULL is never equal to NULL here: jobs without a key do not get in each other's way.
        UniqueConstraint("principal", "key", name="airflow_remote_job_key"),
    )
    Index("airflow_remote_job_state", table.c.state)
    metadata.create_all(connection, checkfirst=False)


def two(connection: Connection) -> None:
    """The audit."""
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


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (one, two)
"""The first one makes version 1, and so on."""


def version(engine: Engine) -> int:
    """The version of the tables; 0 when there are none."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(VERSIONS.name):
            return 0
        return max((row[0] for row in connection.execute(select(VERSIONS.c.version))), default=0)


def migrate(engine: Engine, turns: int = 5) -> None:
    """Bring the tables to the newest version. Several processes may do so at once.

    :param turns: how often to begin again when another process is doing the same
    :raises sqlalchemy.exc.SQLAlchemyError: when the database cannot be used
    """
    while (found := version(engine)) < len(MIGRATIONS):
        try:
            with engine.begin() as connection:
                VERSIONS.create(connection, checkfirst=True)
                # Whoever writes the version first makes the tables; the others fail here.
                connection.execute(VERSIONS.insert().values(version=found + 1))
                MIGRATIONS[found](connection)
        except (IntegrityError, OperationalError, ProgrammingError):
            turns -= 1
            if turns < 0:
                raise
