"""Create the database engine of the job store, and interpret its errors."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.pool import QueuePool

from airflow_remote_server.errors import Unavailable

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""How long SQLite itself waits for a lock."""


def make_engine(address: str | URL) -> Engine:
    """Return an engine for the job store.

    SQLite uses a write-ahead log, so that readers and a writer do not block each other.

    :param address: the database URL of SQLAlchemy
    :raises Unavailable: if the URL is invalid, or its driver is not installed
    """
    try:
        url = make_url(address)
        if url.get_backend_name() != "sqlite":
            return create_engine(url, future=True, pool_pre_ping=True, pool_recycle=600)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        # SQLAlchemy's message may contain the URL, and with it the password.
        driver_missing = isinstance(error, (ImportError, NoSuchModuleError))
        reason = first_line(error) if driver_missing else "it is not an SQLAlchemy URL"
        log.error("[rest_api_plugin] jobs_url cannot be used: %s", reason)
        raise Unavailable(f"[rest_api_plugin] jobs_url cannot be used: {reason}") from None
    engine = create_engine(
        url,
        future=True,
        poolclass=QueuePool,  # SQLAlchemy 1.4 has no pool for files: each close would write back the WAL
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    def configure(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={int(BUSY_SECONDS * 1000)}"):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", configure)
    return engine


def file_identity(engine: Engine) -> tuple[int, int] | None:
    """Return the device and the inode of the file of a SQLite database; None if there is no file.

    :param engine: the engine of any database
    """
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    try:
        status = os.stat(engine.url.database)  # noqa: PTH116 - faster, and called for each transaction
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_transient(error: Exception) -> bool:
    """Return whether a retry may help: the database is locked, restarting, or out of connections."""
    text = str(error)
    if "disk is full" in text or is_read_only(error) or "unable to open" in text:
        return False
    return isinstance(error, (OperationalError, InterfaceError, NoConnectionError, OSError))


def is_read_only(error: Exception) -> bool:
    """Return whether SQLite cannot write to its file, or could not when the connection was opened."""
    return "readonly database" in str(error)


def first_line(error: Exception) -> str:
    """Return an exception's own message, without the statement and its parameters."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
