"""The job store in a real PostgreSQL, shared by several webservers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.jobs.limits import QueueFull
from airflow_remote_server.jobs.migrations import MIGRATIONS, version_of
from airflow_remote_server.jobs.models import Job, JobState
from airflow_remote_server.jobs.store import DuplicateKey, JobStore

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.slow


def job(number: int, **more: Any) -> Job:
    """Return a queued job."""
    fields = {"node": "n", "principal": "p", "peer": "", "name": "version", "command": "airflow version"}
    moment = {"created": time.time(), "arguments": "{}", "kind": "command", "state": JobState.QUEUED}
    return Job(**{"id": f"{number:032}", **fields, **moment, **more})


def test_several_webservers_share_the_jobs(shared_url: str) -> None:
    stores = [JobStore(shared_url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:  # none of them finds tables
        list(pool.map(lambda number: stores[number].add(job(number), 100), range(6)))
    assert version_of(stores[0]._connect()) == len(MIGRATIONS)  # noqa: SLF001 - there is no public name
    assert {found.id for found in stores[5].find(states=[JobState.QUEUED])} == {job(n).id for n in range(6)}
    ended = replace(job(1), state=JobState.FAILED, ended=1.5, exit_code=2, message="ein Fehler: ü\n'\"%")
    stores[2].finish(ended)
    assert replace(ended, created=0.0) == replace(stores[3].get(ended.id) or ended, created=0.0)
    stores[4].finish(replace(ended, state=JobState.SUCCEEDED))  # ignored: the job has ended
    assert [found.state for found in stores[3].find(command="ver*", states=[JobState.FAILED])] == [
        JobState.FAILED
    ]
    assert stores[0].find_expired("n", before=2.0, keep=100, limit=10) == [ended.id]
    stores[0].remove([ended.id])
    assert stores[1].get(ended.id) is None


def test_key_is_unique_for_each_principal(shared_url: str) -> None:
    one, two = JobStore(shared_url), JobStore(shared_url)
    one.add(job(10, key="k", digest="d"), None)
    two.add(job(11, key="k", digest="d", principal="another"), None)
    with pytest.raises(DuplicateKey) as taken:
        two.add(job(12, key="k", digest="d"), None)
    assert taken.value.job.id == job(10).id
    assert two.get(job(12).id) is None


def test_job_over_the_limit_is_not_stored(shared_url: str) -> None:
    store = JobStore(shared_url)
    store.add(job(20, node="full"), 1)
    with pytest.raises(QueueFull):
        store.add(job(21, node="full"), 1)
    assert [found.id for found in store.find(node="full")] == [job(20).id]


def test_broken_connection_is_replaced(shared_url: str) -> None:
    from sqlalchemy import create_engine, text

    store = JobStore(shared_url)
    store.add(job(30), None)
    with create_engine(shared_url).begin() as admin:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        admin.execute(text(cut))
    assert store.get(job(30).id) is not None


def test_audit_table_exists(shared_url: str, make_remote: Any) -> None:
    remote = make_remote(jobs_url=shared_url)
    assert remote("trigger_dag", query_string={"dag": "x"}).status_code == 400
    assert remote("jobs/no-such-job").status_code == 404
    entries = remote("audit", query_string={"command": "trigger*"}).json["audit"]
    assert [(entry["name"], entry["result"], entry["principal"]) for entry in entries] == [
        ("trigger_dag", "invalid", "token")
    ]


def test_locked_audit_table_delays_a_request_briefly(shared_url: str, make_remote: Any) -> None:
    remote = make_remote(jobs_url=shared_url)
    remote("trigger_dag", query_string={"dag": "x"})
    holder = JobStore(shared_url)

    def ask(connection: Any) -> int:
        connection.exec_driver_sql("LOCK TABLE airflow_remote_audit IN ACCESS EXCLUSIVE MODE")
        return int(remote("trigger_dag", query_string={"dag": "y"}).status_code)

    assert holder.run_transaction(ask) == 400
