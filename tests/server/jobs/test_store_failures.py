"""A database that is locked, missing or unusable."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import pytest
from job_rows import ended, job

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs import engine as engine_module
from airflow_remote_server.jobs import migrations, rows, store
from airflow_remote_server.jobs.models import Job, JobState
from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_database_locked_from_the_start_is_retried(url: str, lock: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.05)
    lock(1.0)
    JobStore(url).add(job(), None)


def test_readers_do_not_wait_for_a_writer(jobs: JobStore, lock: Any) -> None:
    first = ended(jobs)
    locked = lock(60.0)
    assert jobs.find() == [first]
    assert locked()


def test_database_that_stays_locked_is_reported(jobs: JobStore, lock: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.05)
    first = job()
    jobs.add(first, None)
    lock(60.0)
    with pytest.raises(Unavailable, match=r"database is locked.*jobs_url"):
        jobs.finish(Job(**{**vars(first), "state": JobState.SUCCEEDED}), retry_for=0.2)


@pytest.mark.slow
def test_database_removed_briefly_loses_nothing(jobs: JobStore, tmp_path: Path) -> None:
    old, new = ended(jobs), job()
    files = sorted(tmp_path.glob("jobs.db*"))
    for file in files:
        file.rename(file.with_name(f"away-{file.name}"))
    assert jobs._engine is not None  # noqa: SLF001 - there is no public name
    jobs._engine.dispose()  # as in another process, which has no connection to the file yet  # noqa: SLF001 - there is no public name
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(jobs.add, new, None)
        assert not wait([adding], timeout=1.5).done
        for file in files:
            file.with_name(f"away-{file.name}").replace(file)
        adding.result()
    assert {found.id for found in jobs.find()} == {old.id, new.id}


@pytest.mark.slow
def test_emptied_database_is_created_again(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MISSING_SECONDS", 0.5)
    old = ended(jobs)
    connection = sqlite3.connect(tmp_path / "jobs.db")
    for table in (rows.JOBS.name, "airflow_remote_audit", migrations.VERSIONS.name):
        connection.execute(f"DROP TABLE {table}")
    connection.close()
    assert jobs.get(old.id) is None
    fresh = ended(jobs)
    assert jobs.find() == [fresh]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////no/such/folder/jobs.db",
        "sqlite:////proc/jobs.db",
        "no_dialect://me:hunter2@x",
        "mssql+pymssql://me:hunter2@x/y",
        "postgresql://me:hunter2@x:port/y",
        "no url: hunter2",
    ],
)
def test_unusable_database_is_reported_at_once(url: str) -> None:
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="jobs_url") as error:
        JobStore(url).find()
    assert time.monotonic() < begun + engine_module.BUSY_SECONDS
    assert "hunter2" not in error.value.message


def test_message_contains_no_statement(jobs: JobStore, monkeypatch: Any) -> None:
    def fail(connection: Any) -> None:
        connection.exec_driver_sql("SELECT 'hunter2' FROM nowhere_at_all")

    with pytest.raises(Unavailable) as error:
        jobs.run_transaction(fail, retry_for=0.0)
    assert "hunter2" not in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.slow
def test_locked_database_is_retried(jobs: JobStore, lock: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.05)  # so that the store has to retry
    first = job()
    jobs.add(first, None)
    lock(1.0)
    jobs.finish(Job(**{**vars(first), "state": JobState.SUCCEEDED}))
    found = jobs.get(first.id)
    assert found is not None
    assert found.state is JobState.SUCCEEDED


def test_connection_that_was_opened_on_a_read_only_disk_is_replaced(jobs: JobStore) -> None:
    jobs.add(job(), None)
    with jobs._connect().connect() as connection:  # noqa: SLF001 - there is no public way to a pooled connection
        connection.exec_driver_sql("PRAGMA query_only = ON")  # it stays in the pool
    added = job()
    jobs.add(added, None)
    assert jobs.get(added.id) is not None
