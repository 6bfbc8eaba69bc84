"""Create and migrate the tables of the job store."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from job_rows import ended, job
from postgres import postgres
from sqlalchemy import MetaData, create_engine, event, inspect

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs import engine as engine_module
from airflow_remote_server.jobs import migrations, rows
from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def statements_of(engine: Any, break_off_at: int | None = None) -> Iterator[list[str]]:
    """Collect the statements that an engine executes; break off before one of those that change something."""
    statements: list[str] = []

    def collect(*arguments: Any) -> None:
        statement = str(arguments[2])
        changes = [each for each in statements if each.startswith(CHANGES)]
        if statement.lstrip().startswith(CHANGES) and len(changes) == break_off_at:
            raise KeyboardInterrupt
        statements.append(statement.lstrip())

    event.listen(engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", collect)


CHANGES = ("CREATE", "ALTER", "INSERT")


def check_break_offs(url: str, empty: Any) -> None:
    """Check that a migration which breaks off before any statement continues at the next start.

    Each statement is committed, as MySQL does.
    """
    schema = None
    for number in range(100):
        empty()
        broken = engine_module.make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        with statements_of(broken, number) as statements:
            try:
                migrations.migrate(broken)
            except KeyboardInterrupt:
                complete = False
            else:
                complete = True
        broken.dispose()
        store = JobStore(url)
        first = ended(store)
        assert store.find() == [first], (number, statements)
        engine = engine_module.make_engine(url)
        found = describe_schema(engine)
        engine.dispose()
        assert schema is None or found == schema, (number, statements)
        schema = found
        if complete:
            assert number >= 10, "each statement was tried"
            return
    raise AssertionError("it never ends")


def describe_schema(engine: Any) -> dict[str, Any]:
    """Return the names of all columns and indexes by table."""
    inspector = inspect(engine)
    return {
        table: (
            sorted(column["name"] for column in inspector.get_columns(table)),
            sorted(str(index["name"]) for index in inspector.get_indexes(table)),
        )
        for table in sorted(inspector.get_table_names())
    }


def test_migration_that_broke_off_continues(url: str, tmp_path: Path) -> None:
    def empty() -> None:
        for path in tmp_path.glob("jobs.db*"):
            path.unlink()

    check_break_offs(url, empty)


@pytest.mark.slow
def test_migration_that_broke_off_in_postgresql_continues() -> None:
    with postgres() as url:
        engine = create_engine(url)

        def empty() -> None:
            metadata = MetaData()
            metadata.reflect(engine)
            metadata.drop_all(engine)

        check_break_offs(url, empty)
        engine.dispose()


def test_migrations_are_not_repeated(jobs: JobStore, url: str) -> None:
    first = ended(jobs)
    engine = engine_module.make_engine(url)
    assert migrations.version_of(engine) == len(migrations.MIGRATIONS)
    with statements_of(engine) as statements:
        migrations.migrate(engine)
    assert [each for each in statements if not each.lstrip().startswith(("SELECT", "PRAGMA"))] == []
    assert JobStore(url).get(first.id) == first
    engine.dispose()


@pytest.mark.parametrize("attempt", range(3))
def test_migrations_may_run_concurrently(url: str, attempt: int) -> None:
    stores = [JobStore(url) for _ in range(8)]
    ready = threading.Barrier(len(stores))

    def add(each: JobStore) -> None:
        ready.wait()
        each.add(job(), None)

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(add, stores))
    assert len(stores[0].find()) == len(stores)


def test_columns_match_the_job(jobs: JobStore, url: str) -> None:
    jobs.find()
    engine = engine_module.make_engine(url)
    names = [column["name"] for column in inspect(engine).get_columns(rows.JOBS.name)]
    assert names == rows.COLUMNS
    engine.dispose()


def test_tables_of_a_newer_release_are_refused(jobs: JobStore, url: str) -> None:
    ended(jobs)
    engine = engine_module.make_engine(url)
    with engine.begin() as connection:
        connection.execute(migrations.VERSIONS.insert().values(version=len(migrations.MIGRATIONS) + 1))
    engine.dispose()
    with pytest.raises(Unavailable, match="a newer release of airflow-remote has upgraded the job store"):
        JobStore(url).find()
