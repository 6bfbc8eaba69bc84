"""Lists of jobs and of the audit log: complete, stable, and at a bounded cost for every filter."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_rows import job
from postgres import postgres
from sqlalchemy import event

from airflow_remote_server.jobs import listing
from airflow_remote_server.jobs.audit.entry import AuditEntry
from airflow_remote_server.jobs.audit.table import AuditTable
from airflow_remote_server.jobs.models import Job, JobState
from airflow_remote_server.jobs.rows import JOBS, row_of
from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STATES = [*JobState]
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"states": [JobState.FAILED]},
    {"states": [JobState.FAILED, JobState.SUCCEEDED, JobState.LOST]},
    {"states": STATES},
    {"principal": "a"},
    {"principal": "nobody"},
    {"principal": "b", "states": [JobState.SUCCEEDED]},
    {"principal": "a", "states": STATES},
    {"command": "version"},
    {"command": "*nope*"},
    {"command": "dags*", "states": [JobState.LOST]},
    {"command": "*x", "states": [JobState.FAILED, JobState.LOST], "principal": "a"},
    {"states": [JobState.QUEUED, JobState.RUNNING], "node": "here"},
)


class Spools:
    """As much of the spools as a table needs."""

    def ensure_state_dir(self) -> None:
        """Do nothing."""


class Service:
    """As much of the job service as a table needs.

    :param store: the job store
    """

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.spools = Spools()


def fill(store: JobStore, count: int, choose: Callable[[int], dict[str, Any]] | None = None) -> list[Job]:
    """Add jobs to a store, oldest first, and return them, newest first."""
    kinds = itertools.cycle(itertools.product(("a", "a", "a", "b"), STATES, ("version", "dags list", "x")))
    made = []
    for number in range(count):
        principal, state, name = next(kinds)
        values = {"principal": principal, "state": state, "name": name, "command": f"airflow {name}"}
        ended = None if state in (JobState.QUEUED, JobState.RUNNING) else time.time()
        made.append(job(**{**values, "ended": ended, **(choose(number) if choose else {})}))
    store.find()  # creates the tables
    store.run_transaction(
        lambda connection: connection.execute(JOBS.insert(), [row_of(each) for each in made])
    )
    return made[::-1]


def read_all(
    store: JobStore, limit: int, between: Callable[[], object] = lambda: None, **filters: Any
) -> list[str]:
    """Return the ids of all pages."""
    ids: list[str] = []
    before = None
    while True:
        page, before = store.find_page(before=before, limit=limit, **filters)
        assert len(page) <= limit
        ids += [each.id for each in page]
        if before is None:
            return ids
        between()


def matches(
    found: Job, states: Any = STATES, principal: Any = None, command: str = "*", node: Any = None
) -> bool:
    words = command.strip("*")
    named = words in found.name if command.startswith("*") else found.name.startswith(words)
    return found.state in states and principal in (None, found.principal) and named


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_pages_are_complete(
    jobs: JobStore, filters: dict[str, Any], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "CHECKED_ROWS", 20)
    made = fill(jobs, 300)
    assert read_all(jobs, limit, **filters) == [each.id for each in made if matches(each, **filters)]


def test_jobs_that_are_added_or_deleted_move_no_page(jobs: JobStore) -> None:
    made = fill(jobs, 30)
    left = iter(made[20:])

    def change() -> None:
        fill(jobs, 5)
        jobs.remove([next(left).id])

    ids = read_all(jobs, 10, change)
    assert ids[:20] == [each.id for each in made[:20]]
    assert ids == sorted(set(ids), reverse=True)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["", "p", "q"]), st.sampled_from("xy"), st.sampled_from(["", "j"]))
    ),
    principal=st.sampled_from([None, "", "p"]),
    result=st.sampled_from([None, "x"]),
    job_id=st.sampled_from([None, "", "j"]),
    limit=st.integers(1, 5),
)
def test_audit_is_complete(
    rows: list[tuple[str, str, str]],
    principal: str | None,
    result: str | None,
    job_id: str | None,
    limit: int,
) -> None:
    store = JobStore("sqlite://")
    table = AuditTable(Service(store), 3600, 100)  # type: ignore[arg-type]
    wanted = []
    for number, (who, what, which) in enumerate(rows):
        made = entry(number, principal=who, result=what, job=which)
        table.add(made)
        if principal in (None, who) and result in (None, what) and job_id in (None, which):
            wanted.append(made.id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "CHECKED_ROWS", 3)
        found, before = [], None
        while True:
            page, before = table.find_page(limit, before, principal=principal, result=result, job=job_id)
            found += [each.id for each in page]
            if before is None:
                break
    assert found == wanted[::-1]


def entry(number: int, **changes: Any) -> AuditEntry:
    """Return an entry of the audit log."""
    fields = {
        "id": f"{number:024x}",
        "time": time.time(),
        "principal": "p",
        "role": "admin",
        "peer": "",
        "path": "/",
    }
    more = {"method": "GET", "name": "version", "command": "airflow version", "status": 200, "layer": ""}
    rest = {"result": "done", "message": "", "seconds": 0.1, "job": ""}
    return AuditEntry(**{**fields, **more, **rest, **changes})


def plans(store: JobStore, read: Callable[[], object]) -> Iterator[tuple[str, str]]:
    """Yield each step of SQLite's plans for the queries of a function, with its query."""
    engine, statements = store._connect(), []  # noqa: SLF001 - there is no public name

    def collect(*arguments: Any) -> None:
        statements.append(arguments[2:4])

    event.listen(engine, "before_cursor_execute", collect)
    try:
        read()
    finally:
        event.remove(engine, "before_cursor_execute", collect)
    for statement, parameters in statements:
        if statement.startswith("SELECT"):
            with engine.connect() as connection:
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
                    yield str(step[-1]), statement


def check_plans(store: JobStore, read: Callable[[], object], ordered: bool = True) -> None:
    """Check that all rows come from an index, and in its order."""
    for step, statement in plans(store, read):
        assert not step.startswith(("SCAN airflow", "SCAN TABLE")) or " INDEX " in step, (step, statement)
        merges = "UNION ALL" in statement  # sorts a page of each state
        assert "TEMP B-TREE" not in step or merges or not ordered, (step, statement)


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("before", [None, "1" * 32])
def test_every_list_of_jobs_reads_an_index(
    jobs: JobStore, filters: dict[str, Any], before: str | None
) -> None:
    fill(jobs, 100)
    check_plans(jobs, lambda: jobs.find_page(before=before, **filters))


@pytest.mark.parametrize(
    "names",
    [
        names
        for n in range(5)
        for names in itertools.combinations(("principal", "peer", "result", "layer", "command"), n)
    ],
    ids="-".join,
)
def test_every_list_of_the_audit_reads_an_index(jobs: JobStore, names: tuple[str, ...]) -> None:
    table = AuditTable(Service(jobs), 3600, 100)  # type: ignore[arg-type]
    table.add(entry(1))
    check_plans(jobs, lambda: table.find_page(50, "1" * 24, **dict.fromkeys(names, "x")))


def test_periodic_work_reads_indexes(jobs: JobStore) -> None:
    table = AuditTable(Service(jobs), 3600, 1)  # type: ignore[arg-type]
    fill(jobs, 100)
    for number in range(5):
        table.add(entry(number))
    check_plans(jobs, lambda: jobs.find_expired("here", time.time(), 3, 10))
    check_plans(jobs, table.prune)
    check_plans(jobs, lambda: jobs.add(job(), 10_000, 10_000), ordered=False)


def test_few_rows_are_checked_for_a_page(jobs: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "CHECKED_ROWS", 50)
    made = fill(jobs, 300, lambda _: {"principal": "a", "state": JobState.SUCCEEDED})
    page, following = jobs.find_page(command="*nope*")
    assert (page, following) == ([], made[50].id)
    page, following = jobs.find_page(command="*nope*", before=following)
    assert (page, following) == ([], made[101].id)


def test_rarer_of_two_filters_is_used(jobs: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "CHECKED_ROWS", 20)
    rare = {"principal": "rare", "state": JobState.SUCCEEDED}
    made = fill(jobs, 300, lambda n: rare if n == 1 else {"principal": "a", "state": JobState.SUCCEEDED})
    page, following = jobs.find_page(states=[JobState.SUCCEEDED], principal="rare")
    assert ([each.id for each in page], following) == ([made[-2].id], None)


@pytest.mark.slow
def test_pages_are_complete_in_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "CHECKED_ROWS", 20)
    with postgres() as url:
        store = JobStore(url)
        made = fill(store, 300)
        for filters in FILTERS:
            wanted = [each.id for each in made if matches(each, **filters)]
            assert read_all(store, 7, **filters) == wanted, filters
        table = AuditTable(Service(store), 3600, 3)  # type: ignore[arg-type]
        for number in range(8):
            table.add(entry(number, principal="p" if number % 2 else "", job=made[0].id, result="running"))
        ids = [f"{number:024x}" for number in range(8)]
        assert [each.id for each in table.find_page(2, principal="p", result="done")[0]] == []
        table.prune()
        assert [each.id for each in table.find_page(9)[0]] == [ids[7], ids[6], ids[5], ids[3]]
        assert len(store.find_expired("here", time.time() + 10, 100_000, 1000)) == len(
            [each for each in made if each.ended is not None]
        )
        store._connect().dispose()  # noqa: SLF001 - there is no public name
