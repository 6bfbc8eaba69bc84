"""Create and migrate the tables of the job store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from job_rows import ended, job
from sqlalchemy import inspect

from airflow_remote_server.jobs import engine as engine_module
from airflow_remote_server.jobs import migrations, store
from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    pass


def test_migrations_are_not_repeated(jobs: JobStore, url: str, monkeypatch: Any) -> None:
    first = ended(jobs)
    engine = engine_module.make_engine(url)
    assert migrations.version_of(engine) == len(migrations.MIGRATIONS)
    monkeypatch.setattr(migrations, "MIGRATIONS", (None,) * len(migrations.MIGRATIONS))
    migrations.migrate(engine)
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
    names = [column["name"] for column in inspect(engine).get_columns(store.JOBS.name)]
    assert names == store.COLUMNS
    engine.dispose()
