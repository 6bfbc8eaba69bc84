from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs import Job, State, migrations, store
from airflow_remote_server.jobs import engine as engine_module
from airflow_remote_server.jobs.store import Full, Store, Taken

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = itertools.count()


def job(**changes: Any) -> Job:
    """A job that was just queued."""
    values = {
        "id": f"{next(NUMBERS):032x}",
        "kind": "command",
        "state": State.QUEUED,
        "node": "here",
        "principal": "token",
        "peer": "192.0.2.1",
        "name": "version",
        "command": "airflow version",
        "arguments": "{}",
        "created": time.time(),
    }
    return Job(**{**values, **changes})


def ended(store: Store, **changes: Any) -> Job:
    """A job that was added, and has succeeded."""
    made = job(**{"state": State.SUCCEEDED, "exit_code": 0, "ended": time.time(), **changes})
    store.add(made, None)
    return made


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'jobs.db'}"


@pytest.fixture
def jobs(url: str) -> Store:
    return Store(url)


@pytest.fixture
def lock(tmp_path: Path) -> Any:
    """Lock the database for some seconds, as another program may; no writer comes in then."""
    threads = []
    over = threading.Event()

    def call(seconds: float) -> None:
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
        assert locked.wait(10)

    yield call
    over.set()
    for thread in threads:
        thread.join()


def test_a_job_comes_back_as_it_was_added(jobs: Store) -> None:
    added = job(key="k", digest="d", message="é\n\U0001f600", started=1.5, ended=2.25, exit_code=-9, pid=4711)
    jobs.add(added, None)
    assert jobs.get(added.id) == added
    assert jobs.get("another") is None


def test_two_stores_of_one_database_see_the_same(url: str, jobs: Store) -> None:
    other = Store(url)
    first = job()
    jobs.add(first, None)
    assert other.get(first.id) == first
    other.finish(Job(**{**vars(first), "state": State.FAILED, "exit_code": 1}))
    found = jobs.get(first.id)
    assert found is not None
    assert (found.state, found.exit_code) == (State.FAILED, 1)


def test_migrations_that_were_done_are_not_done_again(jobs: Store, url: str, monkeypatch: Any) -> None:
    first = ended(jobs)
    engine = engine_module.make_engine(url)
    assert migrations.version(engine) == len(migrations.MIGRATIONS)
    monkeypatch.setattr(migrations, "MIGRATIONS", (None,) * len(migrations.MIGRATIONS))
    migrations.migrate(engine)
    assert Store(url).get(first.id) == first
    engine.dispose()


@pytest.mark.parametrize("attempt", range(3))
def test_migrations_can_be_done_by_many_at_once(url: str, attempt: int) -> None:
    stores = [Store(url) for _ in range(8)]
    ready = threading.Barrier(len(stores))

    def add(each: Store) -> None:
        ready.wait()
        each.add(job(), None)

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(add, stores))
    assert len(stores[0].find()) == len(stores)


def test_the_columns_are_those_of_a_job(jobs: Store, url: str) -> None:
    jobs.find()
    engine = engine_module.make_engine(url)
    names = [column["name"] for column in migrations.inspect(engine).get_columns(store.JOBS.name)]
    assert names == store.COLUMNS
    engine.dispose()


def test_a_first_end_stays(jobs: Store) -> None:
    first = job()
    jobs.add(first, None)
    for state in (State.STOPPED, State.SUCCEEDED):
        jobs.finish(Job(**{**vars(first), "state": state, "key": "ignored"}))
    found = jobs.get(first.id)
    assert found is not None
    assert (found.state, found.key) == (State.STOPPED, None)


def test_there_are_no_more_unfinished_commands_than_there_may_be(jobs: Store) -> None:
    ended(jobs)
    jobs.add(job(kind="service"), None)
    jobs.add(job(node="elsewhere"), 1)
    jobs.add(job(), 2)
    last = job(state=State.RUNNING)
    jobs.add(last, 2)
    refused = job()
    with pytest.raises(Full):
        jobs.add(refused, 2)
    assert jobs.get(refused.id) is None, "and nothing is left of it"
    jobs.finish(Job(**{**vars(last), "state": State.LOST}))
    jobs.add(refused, 2)


def test_the_limit_holds_when_many_come_at_once(url: str) -> None:
    stores = [Store(url) for _ in range(8)]

    def add(each: Store) -> bool:
        try:
            each.add(job(), 3)
        except Full:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sorted(pool.map(add, stores)) == [False] * 5 + [True] * 3


def test_a_key_is_taken_once_by_each_principal(jobs: Store) -> None:
    first = job(key="k")
    jobs.add(first, None)
    with pytest.raises(Taken) as taken:
        jobs.add(job(key="k"), None)
    assert taken.value.job == first
    jobs.add(job(key="k", principal="another"), None)
    jobs.add(job(key="K"), None)
    for _ in range(2):
        jobs.add(job(key=None), None)
    jobs.remove([first.id])
    jobs.add(job(key="k"), None)


def test_one_of_many_at_once_gets_a_key(url: str) -> None:
    stores = [Store(url) for _ in range(8)]

    def add(each: Store) -> str:
        made = job(key="k")
        try:
            each.add(made, None)
        except Taken as taken:
            return taken.job.id
        return made.id

    with ThreadPoolExecutor(len(stores)) as pool:
        assert len(set(pool.map(add, stores))) == 1


def test_jobs_are_found_by_what_is_asked(jobs: Store) -> None:
    made = [
        job(state=State.RUNNING, name="trigger_dag", command="airflow dags trigger --output=json -- d"),
        job(state=State.FAILED, name="list_dags", command="airflow dags list", principal="another"),
        job(state=State.SUCCEEDED, name="deploy_dag", command="deploy_dag a_b%.py", node="elsewhere"),
    ]
    for each in made:
        jobs.add(each, None)

    def found(**conditions: Any) -> list[int]:
        return [made.index(each) for each in jobs.find(**conditions)]

    assert found() == [2, 1, 0], "the newest first"
    assert found(limit=2) == [2, 1]
    assert found(before=made[1].id) == [0]
    assert found(states=[State.RUNNING, State.FAILED]) == [1, 0]
    assert found(node="elsewhere") == [2]
    assert found(principal="another") == [1]
    assert found(command="trigger_dag") == found(command="dags trigger") == [0]
    assert found(command="airflow dags") == found(command="dags") == [1, 0]
    assert found(command="*_dag*") == [2, 1, 0]
    assert found(command="deploy_dag a_b%") == [2]
    assert found(command="trigger-dag") == found(command="a%") == found(command="nope") == []
    assert found(command="airflow*trigger", states=[State.RUNNING], principal="token") == [0]


@settings(max_examples=30)  # each has a database of its own
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_any_text_can_be_looked_for(text: str) -> None:
    jobs = Store("sqlite://")
    jobs.add(job(name=text, command="x"), None)
    jobs.add(job(name=f"{text}?", command="y"), None)
    assert [each.name for each in jobs.find(command=text)][-1:] == [text]
    assert jobs.find(principal=text) == jobs.find(before=text)[2:] == []


def test_a_text_that_no_database_takes_is_escaped(jobs: Store) -> None:
    made = job(message="a\0b\udcffc", peer="x" * 300)
    jobs.add(made, None)
    found = jobs.get(made.id)
    assert found is not None
    assert (found.message, found.peer) == ("a\\0b\\udcffc", "x" * 100)


def test_old_are_those_that_ended_long_ago_and_those_beyond_the_newest(jobs: Store) -> None:
    jobs.add(job(), None)
    made = [ended(jobs, ended=float(at)) for at in (500, 100, 200, 300, 400)]
    ended(jobs, node="elsewhere", ended=0.0)
    ids = [each.id for each in made]
    assert jobs.old("here", 0.0, 10, 10) == []
    assert jobs.old("here", 250.0, 10, 10) == ids[1:3]
    assert jobs.old("here", 0.0, 3, 10) == ids[1:3]  # by their end: a long job is not old when it ends
    assert jobs.old("here", 350.0, 3, 10) == ids[1:4]
    assert len(jobs.old("here", 1000.0, 10, 2)) == 2
    jobs.remove(ids[1:3])
    jobs.remove([])
    assert jobs.old("here", 250.0, 3, 10) == []


@pytest.mark.slow
def test_a_locked_database_is_waited_for(jobs: Store, lock: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.05)  # so that it is ours to try again
    first = job()
    jobs.add(first, None)
    lock(1.0)
    jobs.finish(Job(**{**vars(first), "state": State.SUCCEEDED}))
    found = jobs.get(first.id)
    assert found is not None
    assert found.state is State.SUCCEEDED


@pytest.mark.slow
def test_a_database_that_is_locked_from_the_beginning_is_waited_for(
    url: str, lock: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.05)
    lock(1.0)
    Store(url).add(job(), None)


def test_readers_do_not_wait_for_a_writer(jobs: Store, lock: Any) -> None:
    first = ended(jobs)
    lock(30.0)
    begun = time.monotonic()
    assert jobs.find() == [first]
    assert time.monotonic() < begun + 5


def test_a_database_that_stays_locked_is_said(jobs: Store, lock: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.05)
    first = job()
    jobs.add(first, None)
    lock(30.0)
    with pytest.raises(Unavailable, match=r"database is locked.*jobs_url"):
        jobs.finish(Job(**{**vars(first), "state": State.SUCCEEDED}), patience=0.2)


@pytest.mark.slow
def test_a_database_that_was_away_for_a_moment_has_lost_nothing(jobs: Store, tmp_path: Path) -> None:
    old, new = ended(jobs), job()
    files = sorted(tmp_path.glob("jobs.db*"))
    for file in files:
        file.rename(file.with_name(f"away-{file.name}"))
    jobs._engine.dispose()  # as in another process, which has no connection to the file yet
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(jobs.add, new, None)
        assert not wait([adding], timeout=1.5).done
        for file in files:
            file.with_name(f"away-{file.name}").replace(file)
        adding.result()
    assert {found.id for found in jobs.find()} == {old.id, new.id}


@pytest.mark.slow
def test_a_database_that_was_emptied_is_begun_anew(
    jobs: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MISSING_SECONDS", 0.5)
    old = ended(jobs)
    connection = sqlite3.connect(tmp_path / "jobs.db")
    for table in (store.JOBS.name, "airflow_remote_audit", migrations.VERSIONS.name):
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
def test_a_database_that_cannot_be_used_is_said_at_once(url: str) -> None:
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="jobs_url") as error:
        Store(url).find()
    assert time.monotonic() < begun + 3
    assert "hunter2" not in error.value.message


def test_what_is_said_holds_no_statement(jobs: Store, monkeypatch: Any) -> None:
    def fail(connection: Any) -> None:
        connection.exec_driver_sql("SELECT 'hunter2' FROM nowhere_at_all")

    with pytest.raises(Unavailable) as error:
        jobs.do(fail, patience=0.0)
    assert "hunter2" not in error.value.message
    assert "\n" not in error.value.message


def test_a_list_has_no_more_than_a_beginning_of_what_is_long(jobs: Store) -> None:
    short = Job(
        **{**vars(ended(jobs)), "id": "1", "key": None, "command": "short", "arguments": '{"a": "b"}'}
    )
    long = Job(**{**vars(short), "id": "2", "command": "x" * 100_000, "arguments": f'["{"y" * 100_000}"]'})
    for job in (short, long):
        jobs.add(job, None)
    found = {job.id: job for job in jobs.find(limit=10)}
    assert found["1"] == short
    assert len(found["2"].command) + len(found["2"].arguments) < 3000
    jobs.finish(found["2"])  # as one that is found in a list may be
    assert jobs.get("2") == long
