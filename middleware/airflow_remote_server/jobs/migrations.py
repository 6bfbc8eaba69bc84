"""The tables of the job store, by version. A released migration is never changed.

A migration returns the statements that create what is missing. So it continues where an earlier one broke
off: MySQL commits each statement that changes the schema, together with the row of the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
)
from sqlalchemy.dialects.mysql import MEDIUMBLOB, MEDIUMTEXT
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from airflow_remote_server._version import __version__
from airflow_remote_server.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

VERSIONS = Table("airflow_remote_version", MetaData(), Column("version", Integer, primary_key=True))


LONG = Text().with_variant(MEDIUMTEXT(), "mysql")
"""MySQL's TEXT holds 64 kB, but one argument may have twice as much."""


def create_jobs(connection: Connection) -> list[DDLElement]:
    """Return the statements for the table of jobs."""
    table = Table(
        "airflow_remote_job",
        MetaData(),
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
    return create_missing(connection, table)


def create_audit(connection: Connection) -> list[DDLElement]:
    """Return the statements for the table of the audit log."""
    table = Table(
        "airflow_remote_audit",
        MetaData(),
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
    return create_missing(connection, table)


def add_ends_to_audit(connection: Connection) -> list[DDLElement]:
    """Return the statements for the state and exit code of a job, and for an index to find its entries."""
    table = Table("airflow_remote_audit", MetaData(), Column("job", String(40)))
    Index("airflow_remote_audit_job", table.c.job)
    inspector = inspect(connection)
    existing = (
        {column["name"] for column in inspector.get_columns(table.name)}
        if inspector.has_table(table.name)
        else set()
    )
    columns = {"state": "VARCHAR(10)", "exit_code": "INTEGER"}
    return [
        *(
            DDL(f"ALTER TABLE {table.name} ADD COLUMN {name} {type_name}")
            for name, type_name in columns.items()
            if name not in existing
        ),
        *create_missing(connection, table),
    ]


def add_list_indexes(connection: Connection) -> list[DDLElement]:
    """Return the statements for the indexes that lists and the deletion of expired rows read."""
    job = Table(
        "airflow_remote_job",
        MetaData(),
        *(Column(name, String(100)) for name in ("id", "state", "principal", "node")),
        Column("ended", Float(53)),
    )
    Index("airflow_remote_job_state_id", job.c.state, job.c.id)
    Index("airflow_remote_job_principal_id", job.c.principal, job.c.id)
    Index("airflow_remote_job_ended", job.c.ended, job.c.node)
    audit = Table(
        "airflow_remote_audit",
        MetaData(),
        *(Column(name, String(100)) for name in ("id", "peer", "result", "layer", "job", "state")),
    )
    for name in ("peer", "result", "layer"):
        Index(f"airflow_remote_audit_{name}_id", audit.c[name], audit.c.id)
    # Entries without the state of their job are those of active jobs, and those without a job.
    Index("airflow_remote_audit_state", audit.c.state, audit.c.job)
    return [*create_missing(connection, job), *create_missing(connection, audit)]


def create_nodes(connection: Connection) -> list[DDLElement]:
    """Return the statements for the tables that the nodes of a shared store use."""
    metadata = MetaData()
    piece = Table(
        "airflow_remote_piece",
        metadata,
        Column("job", String(40), primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("name", String(1000), nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("whole", Integer, nullable=False),
        Column("data", LargeBinary().with_variant(MEDIUMBLOB(), "mysql"), nullable=False),
    )
    node = Table(
        "airflow_remote_node",
        metadata,
        Column("id", String(40), primary_key=True),
        Column("host", String(80), nullable=False),
        Column("beat", BigInteger, nullable=False),
        Column("version", String(40), nullable=False),
    )
    stop = Table(
        "airflow_remote_stop",
        metadata,
        Column("job", String(40), primary_key=True),
        Column("node", String(40), nullable=False),
        Column("forced", Integer, nullable=False),
        Column("grace", Float(53), nullable=False),
    )
    offer = Table(
        "airflow_remote_offer",
        metadata,
        Column("job", String(40), primary_key=True),
        Column("node", String(40), nullable=False),
        Column("data", LargeBinary().with_variant(MEDIUMBLOB(), "mysql"), nullable=False),
    )
    Index("airflow_remote_offer_node", offer.c.node, offer.c.job)
    tables = (piece, node, stop, offer)
    return [statement for table in tables for statement in create_missing(connection, table)]


def create_missing(connection: Connection, table: Table) -> list[DDLElement]:
    """Return the statements that create a table and its indexes, without those that exist.

    :param connection: a connection to the database
    :param table: the table
    """
    inspector = inspect(connection)
    statements: list[DDLElement] = []
    existing: set[str | None] = set()
    if inspector.has_table(table.name):
        existing = {index["name"] for index in inspector.get_indexes(table.name)}
    else:
        statements.append(CreateTable(table))
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    return [*statements, *(CreateIndex(index) for index in indexes if index.name not in existing)]


MIGRATIONS: tuple[Callable[[Connection], list[DDLElement]], ...] = (
    create_jobs,
    create_audit,
    add_ends_to_audit,
    add_list_indexes,
    create_nodes,
)
"""The first one creates version 1, and so on."""

LATEST = len(MIGRATIONS)
"""The version of the tables that this release needs."""

RETRIES = 20
"""How often to start again because other processes migrate the tables; one of them makes progress."""


def version_of(engine: Engine) -> int:
    """Return the version of the tables, or 0 if there are none."""
    with engine.connect() as connection:
        return version_in(connection) if inspect(connection).has_table(VERSIONS.name) else 0


def version_in(connection: Connection) -> int:
    """Return the version of the tables, or 0 if there are none, if the table of versions exists."""
    return max((row[0] for row in connection.execute(select(VERSIONS.c.version))), default=0)


def next_migration(engine: Engine) -> int | None:
    """Return the version that must be created next, or of which something is missing; None if there is none.

    :param engine: the engine of the database
    :raises Unavailable: if a newer release has created the tables
    """
    version = version_of(engine)
    if version > LATEST:
        raise Unavailable(
            f"a newer release of airflow-remote has upgraded the job store (version {version} of its tables; "
            f"{__version__} knows {LATEST}): upgrade airflow-remote on this webserver"
        )
    with engine.connect() as connection:
        for number, migration in enumerate(MIGRATIONS[:version], 1):
            if migration(connection):
                return number
    return version + 1 if version < LATEST else None


def migrate(engine: Engine, retries: int = RETRIES) -> None:
    """Migrate the tables to the newest version. Several processes may do so at the same time.

    :param engine: the engine of the database
    :param retries: how often to start again because another process migrates the tables
    :raises Unavailable: if a newer release has created the tables
    :raises sqlalchemy.exc.SQLAlchemyError: if the database cannot be used
    """
    while (version := next_migration(engine)) is not None:
        try:
            with engine.begin() as connection:
                VERSIONS.create(connection, checkfirst=True)
                if version > version_in(connection):
                    # The first process to insert the version creates the tables; the others fail here.
                    connection.execute(VERSIONS.insert().values(version=version))
                for statement in MIGRATIONS[version - 1](connection):
                    connection.execute(statement)
        except (IntegrityError, OperationalError, ProgrammingError):
            retries -= 1
            if retries < 0:
                raise
