"""The job store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_rows import ended, job

from airflow_remote_server.jobs.limits import QueueFull
from airflow_remote_server.jobs.models import Job, JobState
from airflow_remote_server.jobs.store import DuplicateKey, JobStore

if TYPE_CHECKING:
    pass


def test_job_is_stored_unchanged(jobs: JobStore) -> None:
    added = job(key="k", digest="d", message="é\n\U0001f600", started=1.5, ended=2.25, exit_code=-9, pid=4711)
    jobs.add(added, None)
    assert jobs.get(added.id) == added
    assert jobs.get("another") is None


def test_two_stores_share_a_database(url: str, jobs: JobStore) -> None:
    other = JobStore(url)
    first = job()
    jobs.add(first, None)
    assert other.get(first.id) == first
    other.finish(Job(**{**vars(first), "state": JobState.FAILED, "exit_code": 1}))
    found = jobs.get(first.id)
    assert found is not None
    assert (found.state, found.exit_code) == (JobState.FAILED, 1)


def test_first_recorded_end_stays(jobs: JobStore) -> None:
    first = job()
    jobs.add(first, None)
    for state in (JobState.STOPPED, JobState.SUCCEEDED):
        jobs.finish(Job(**{**vars(first), "state": state, "key": "ignored"}))
    found = jobs.get(first.id)
    assert found is not None
    assert (found.state, found.key) == (JobState.STOPPED, None)


def test_active_commands_are_limited(jobs: JobStore) -> None:
    ended(jobs)
    jobs.add(job(kind="service"), None)
    jobs.add(job(node="elsewhere"), 1)
    jobs.add(job(), 2)
    last = job(state=JobState.RUNNING)
    jobs.add(last, 2)
    refused = job()
    with pytest.raises(QueueFull):
        jobs.add(refused, 2)
    assert jobs.get(refused.id) is None, "and nothing is left of it"
    jobs.finish(Job(**{**vars(last), "state": JobState.LOST}))
    jobs.add(refused, 2)


def test_limit_holds_for_concurrent_jobs(url: str) -> None:
    stores = [JobStore(url) for _ in range(8)]

    def add(each: JobStore) -> bool:
        try:
            each.add(job(), 3)
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sorted(pool.map(add, stores)) == [False] * 5 + [True] * 3


def test_key_is_unique_for_each_principal(jobs: JobStore) -> None:
    first = job(key="k")
    jobs.add(first, None)
    with pytest.raises(DuplicateKey) as taken:
        jobs.add(job(key="k"), None)
    assert taken.value.job == first
    jobs.add(job(key="k", principal="another"), None)
    jobs.add(job(key="K"), None)
    for _ in range(2):
        jobs.add(job(key=None), None)
    jobs.remove([first.id])
    jobs.add(job(key="k"), None)


def test_one_of_many_concurrent_jobs_gets_a_key(url: str) -> None:
    stores = [JobStore(url) for _ in range(8)]

    def add(each: JobStore) -> str:
        made = job(key="k")
        try:
            each.add(made, None)
        except DuplicateKey as taken:
            return taken.job.id
        return made.id

    with ThreadPoolExecutor(len(stores)) as pool:
        assert len(set(pool.map(add, stores))) == 1


def test_jobs_are_filtered(jobs: JobStore) -> None:
    made = [
        job(state=JobState.RUNNING, name="trigger_dag", command="airflow dags trigger --output=json -- d"),
        job(state=JobState.FAILED, name="list_dags", command="airflow dags list", principal="another"),
        job(state=JobState.SUCCEEDED, name="deploy_dag", command="deploy_dag a_b%.py", node="elsewhere"),
    ]
    for each in made:
        jobs.add(each, None)

    def found(**conditions: Any) -> list[int]:
        return [made.index(each) for each in jobs.find(**conditions)]

    assert found() == [2, 1, 0], "the newest first"
    assert found(limit=2) == [2, 1]
    assert found(before=made[1].id) == [0]
    assert found(states=[JobState.RUNNING, JobState.FAILED]) == [1, 0]
    assert found(node="elsewhere") == [2]
    assert found(principal="another") == [1]
    assert found(command="trigger_dag") == found(command="dags trigger") == [0]
    assert found(command="airflow dags") == found(command="dags") == [1, 0]
    assert found(command="*_dag*") == [2, 1, 0]
    assert found(command="deploy_dag a_b%") == [2]
    assert found(command="trigger-dag") == found(command="a%") == found(command="nope") == []
    assert found(command="airflow*trigger", states=[JobState.RUNNING], principal="token") == [0]


@settings(max_examples=30)  # each has a database of its own
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_any_text_can_be_searched_for(text: str) -> None:
    jobs = JobStore("sqlite://")
    jobs.add(job(name=text, command="x"), None)
    jobs.add(job(name=f"{text}?", command="y"), None)
    assert [each.name for each in jobs.find(command=text)][-1:] == [text]
    assert jobs.find(principal=text) == jobs.find(before=text)[2:] == []


def test_unstorable_text_is_escaped(jobs: JobStore) -> None:
    made = job(message="a\0b\udcffc", peer="x" * 300)
    jobs.add(made, None)
    found = jobs.get(made.id)
    assert found is not None
    assert (found.message, found.peer) == ("a\\0b\\udcffc", "x" * 100)


def test_expired_jobs_are_the_oldest_and_the_surplus(jobs: JobStore) -> None:
    jobs.add(job(), None)
    made = [ended(jobs, ended=float(at)) for at in (500, 100, 200, 300, 400)]
    ended(jobs, node="elsewhere", ended=0.0)
    ids = [each.id for each in made]
    assert jobs.find_expired("here", 0.0, 10, 10) == []
    assert jobs.find_expired("here", 250.0, 10, 10) == ids[1:3]
    assert jobs.find_expired("here", 0.0, 3, 10) == ids[1:3]  # by their end, not their start
    assert jobs.find_expired("here", 350.0, 3, 10) == ids[1:4]
    assert len(jobs.find_expired("here", 1000.0, 10, 2)) == 2
    jobs.remove(ids[1:3])
    jobs.remove([])
    assert jobs.find_expired("here", 250.0, 3, 10) == []


def test_list_truncates_long_texts(jobs: JobStore) -> None:
    short = Job(
        **{**vars(ended(jobs)), "id": "1", "key": None, "command": "short", "arguments": '{"a": "b"}'}
    )
    long = Job(**{**vars(short), "id": "2", "command": "x" * 100_000, "arguments": f'["{"y" * 100_000}"]'})
    for each in (short, long):
        jobs.add(each, None)
    found = {each.id: each for each in jobs.find(limit=10)}
    assert found["1"] == short
    assert len(found["2"].command) + len(found["2"].arguments) < 3000
    jobs.finish(found["2"])  # a truncated job does not overwrite the long texts
    assert jobs.get("2") == long
