"""A job store in an SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest
from postgres import postgres

from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shared_url() -> Iterator[str]:
    """Return the URL of a database in a PostgreSQL of this module."""
    with postgres() as url:
        yield url


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'jobs.db'}"


@pytest.fixture
def jobs(url: str) -> JobStore:
    return JobStore(url)


@pytest.fixture
def lock(tmp_path: Path) -> Any:
    """Return a function that locks the database against writers for some seconds.

    It returns a function that says whether the database is still locked.
    """
    threads = []
    over = threading.Event()

    def call(seconds: float) -> Callable[[], bool]:
        locked = threading.Event()

        def hold() -> None:
            connection = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
            connection.execute("BEGIN EXCLUSIVE")
            locked.set()
            over.wait(seconds)
            connection.rollback()
            connection.close()

        threads.append(threading.Thread(target=hold))
        threads[-1].start()
        assert locked.wait(60)
        return threads[-1].is_alive

    yield call
    over.set()
    for thread in threads:
        thread.join()
