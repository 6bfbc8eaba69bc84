"""Jobs from their submission to their end, over HTTP; whatever dies on the way."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import SUPERVISOR, alive, below, kill, wait_for

from airflow_remote_server.jobs import State
from airflow_remote_server.jobs.store import Store
from airflow_remote_server.runner.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from deeds import Deed
    from remote import Remote

    Make = Callable[..., Deed]

pytestmark = pytest.mark.slow


class WorkerAborted(BaseException):
    """What ends a request in the middle, as gunicorn does with a worker that takes too long."""


def abort(*_: Any) -> None:
    """Raise it."""
    raise WorkerAborted


def stored(remote: Remote, job_id: str) -> Any:
    """A job as the store has it."""
    return Store(f"sqlite:///{remote.settings.state_dir / 'jobs.db'}").get(job_id)


def test_a_request_that_does_not_wait_is_answered_with_its_job(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("wait")
    response = remote.run(deed, PREFER="respond-async")
    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "respond-async"
    said = response.json["job"]
    assert response.headers["Location"] == said["url"] == f"/admin/rest_api/api/v1.0/jobs/{said['id']}"
    verb = {"queued": "is queued", "running": "runs"}[said["state"]]
    assert response.json["output"] == f"list_tasks {verb} as job {said['id']}"
    assert response.json["status"] == "OK"
    running = remote.until(said["id"], "running")
    [process] = wait_for(lambda: deed.processes)
    assert (running["pid"], running["ended"], running["exit_code"]) == (process, None, None)
    assert running["created"] <= running["started"]
    deed.go()
    done = remote.end(said["id"])
    assert (done["state"], done["exit_code"], done["message"]) == ("succeeded", 0, "")
    assert done["started"] == running["started"] < done["ended"]
    assert done["stdout_bytes"] >= len("begun\ndone\n")
    assert "pid" not in done


@pytest.mark.parametrize("prefer", ["wait=0", "wait=1"])
def test_a_request_waits_as_long_as_it_prefers(remote: Remote, make_deed: Make, prefer: str) -> None:
    begun = time.monotonic()
    response = remote.run(make_deed("wait"), PREFER=prefer)
    seconds = int(prefer[-1])
    assert response.status_code == 202
    assert seconds <= time.monotonic() - begun < seconds + 5
    assert response.json["job"]["state"] in (["running"] if seconds else ["queued", "running"])


def test_a_request_waits_no_longer_than_the_server_may(
    make_remote: Any, shared_state: Path, make_deed: Make
) -> None:
    remote = make_remote(state_dir=shared_state, max_wait=0.5)
    for more in ({}, {"PREFER": "wait=60"}):
        assert remote.run(make_deed("wait"), **more).status_code == 202


def test_a_repetition_gets_the_first_result(make_remote: Any, shared_state: Path, make_deed: Make) -> None:
    key, deed = uuid.uuid4().hex, make_deed("both")
    first = make_remote(state_dir=shared_state).run(deed, IDEMPOTENCY_KEY=key)
    again = make_remote(state_dir=shared_state).run(deed, IDEMPOTENCY_KEY=key)  # another worker, or a restart
    assert first.status_code == again.status_code == 200
    times = {"call_time": None, "response_time": None}
    assert {**first.json, **times} == {**again.json, **times}
    assert len(deed.processes) == 1


def test_a_repetition_of_a_failure_gets_the_failure(remote: Remote, make_deed: Make) -> None:
    key, deed = uuid.uuid4().hex, make_deed("exit", 7)
    for _ in range(2):
        response = remote.run(deed, IDEMPOTENCY_KEY=key)
        assert (response.status_code, response.json["exit_code"]) == (422, 7)
    assert len(deed.processes) == 1


def test_a_repetition_while_the_first_runs_waits_for_it(
    make_remote: Any, shared_state: Path, make_deed: Make
) -> None:
    remotes = [make_remote(state_dir=shared_state) for _ in range(4)]
    key, deed = uuid.uuid4().hex, make_deed("wait")
    job_id = remotes[0].begin(deed, IDEMPOTENCY_KEY=key)
    again = remotes[1].run(deed, IDEMPOTENCY_KEY=key, PREFER="respond-async")
    assert (again.status_code, again.json["job"]["id"]) == (202, job_id)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(each.run, deed, IDEMPOTENCY_KEY=key) for each in remotes]
        deed.go()
        responses = [each.result() for each in waiting]
    assert [response.status_code for response in responses] == [200] * 4
    assert {response.json["job"]["id"] for response in responses} == {job_id}
    assert len(deed.processes) == 1


def test_the_first_of_many_at_once_is_run(make_remote: Any, shared_state: Path, make_deed: Make) -> None:
    remotes = [make_remote(state_dir=shared_state) for _ in range(6)]
    key, deed = uuid.uuid4().hex, make_deed("say", "hello")
    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda each: each.run(deed, IDEMPOTENCY_KEY=key), remotes))
    assert {(each.status_code, each.json["job"]["id"]) for each in responses} == {
        (200, responses[0].json["job"]["id"])
    }
    assert len(deed.processes) == 1


def test_a_key_is_for_one_request_only(remote: Remote, make_deed: Make) -> None:
    key = uuid.uuid4().hex
    assert remote.run(make_deed("say", "one"), IDEMPOTENCY_KEY=key).status_code == 200
    other = make_deed("say", "two")
    for response in (remote.run(other, IDEMPOTENCY_KEY=key), remote("version", IDEMPOTENCY_KEY=key)):
        assert response.status_code == 409
        assert "Idempotency-Key was used with other arguments" in response.json["output"]
    assert other.processes == []


def test_what_never_began_is_run_by_its_repetition(
    remote: Remote, make_deed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, deed = uuid.uuid4().hex, make_deed("say", "hello")
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "fill", abort)
        with pytest.raises(WorkerAborted):
            remote.run(deed, IDEMPOTENCY_KEY=key)
    [left] = remote.jobs(command=f"tasks list -- {deed.id}")
    assert left["state"] == "queued", "for all that anybody knows"
    monkeypatch.setattr("airflow_remote_server.jobs.settling.SUBMIT_SECONDS", 0.0)
    response = remote.run(deed, IDEMPOTENCY_KEY=key)
    assert (response.status_code, len(deed.processes)) == (200, 1)
    assert remote(f"jobs/{left['id']}").status_code == 404


def test_what_never_began_is_lost_when_nobody_repeats_it(
    remote: Remote, make_deed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deed = make_deed("say", "hello")
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "fill", abort)
        with pytest.raises(WorkerAborted):
            remote.run(deed)
    monkeypatch.setattr("airflow_remote_server.jobs.settling.SUBMIT_SECONDS", 0.0)
    [job] = remote.jobs(command=f"tasks list -- {deed.id}")
    assert (job["state"], job["started"]) == ("lost", None)
    assert "it never ran" in job["message"]
    assert deed.processes == []


def test_what_a_worker_could_not_hand_over_is_run_all_the_same(
    remote: Remote, make_deed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deed = make_deed("say", "hello")
    with monkeypatch.context() as patch:
        patch.setattr("airflow_remote_server.runner.warm.WarmRunner.start", abort)
        with pytest.raises(WorkerAborted):
            remote.run(deed)
    monkeypatch.setattr("airflow_remote_server.jobs.settling.SUBMIT_SECONDS", 0.0)
    [job] = remote.jobs(command=f"tasks list -- {deed.id}")
    assert remote.end(job["id"])["state"] == "succeeded"
    assert len(deed.processes) == 1


@pytest.mark.parametrize("way", ["warm", "cold"])
def test_no_more_run_and_wait_than_may(
    make_remote: Any, make_deed: Make, request: pytest.FixtureRequest, way: str
) -> None:
    request.getfixturevalue("state" if way == "warm" else "cold_state")
    remotes = [make_remote(max_running=1, max_queued=2) for _ in range(2)]
    deeds = [make_deed("wait"), make_deed("say", "next"), make_deed("say", "stopped")]
    first = remotes[0].begin(deeds[0])
    second, third = (each.start(deed) for each, deed in zip(remotes, deeds[1:], strict=True))
    key = uuid.uuid4().hex
    for remote in remotes:
        refused = remote.run(make_deed("say", "refused"), IDEMPOTENCY_KEY=key)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert "3 commands run or wait already" in refused.json["output"]
    assert remotes[0].job(second)["state"] == remotes[0].job(third)["state"] == "queued"
    stopped = remotes[0].stop(third)
    assert (stopped.status_code, stopped.json["state"], stopped.json["started"]) == (200, "stopped", None)
    deeds[0].go()
    assert [remotes[1].end(job_id)["state"] for job_id in (first, second)] == ["succeeded"] * 2
    assert [len(deed.processes) for deed in deeds] == [1, 1, 0]
    assert remotes[0].run(make_deed("say", "now"), IDEMPOTENCY_KEY=key).status_code == 200


def test_many_at_once_are_all_done_once(make_remote: Any, shared_state: Path, make_deed: Make) -> None:
    remotes = [make_remote(state_dir=shared_state) for _ in range(4)]
    deeds = [make_deed("say", "hello") for _ in range(60)]
    with ThreadPoolExecutor(20) as pool:
        done = pool.map(lambda number: remotes[number % 4].run(deeds[number]), range(len(deeds)))
        assert [response.status_code for response in done] == [200] * len(deeds)
    assert [len(deed.processes) for deed in deeds] == [1] * len(deeds)


def test_an_end_is_noted_when_the_one_who_asked_is_gone(
    make_remote: Any, shared_state: Path, make_deed: Make
) -> None:
    deed = make_deed("wait")
    job_id = make_remote(state_dir=shared_state).begin(deed)
    other = make_remote(state_dir=shared_state)
    deed.go()
    wait_for(lambda: not alive(deed.processes[0]))
    wait_for(lambda: other.jobs(state="succeeded", limit="500")[0]["id"] >= job_id)
    assert stored(other, job_id).state is State.SUCCEEDED


WORKER = Path(__file__).with_name("worker.py")


@pytest.mark.parametrize("way", ["shared_state", "cold_state"])
def test_a_command_outlives_the_worker_that_asked_for_it(
    make_remote: Any, make_deed: Make, major: int, request: pytest.FixtureRequest, way: str
) -> None:
    state = request.getfixturevalue(way)
    deed, remote = make_deed("wait"), make_remote(state_dir=state)
    with subprocess.Popen([sys.executable, WORKER, str(state), deed.id, str(major)]) as worker:
        wait_for(lambda: deed.processes)
        worker.kill()
    [job] = remote.jobs(command=f"tasks list -- {deed.id}")
    assert job["state"] == "running"
    deed.go()
    assert remote.end(job["id"])["state"] == "succeeded"
    assert "done" in remote.output(job["id"])["data"]


def test_what_is_killed_with_its_keeper_is_lost(make_remote: Any, cold_state: Path, make_deed: Make) -> None:
    deed, remote = make_deed("wait"), make_remote()
    job_id = remote.begin(deed)
    [supervisor] = below(cold_state, SUPERVISOR)
    os.kill(supervisor, signal.SIGSTOP)  # so that it cannot see the command's end
    kill(deed.processes[0])
    kill(supervisor)
    job = remote.end(job_id)
    assert (job["state"], job["exit_code"]) == ("lost", None)
    assert "what it did up to then is done" in job["message"]
    assert "begun" in remote.output(job_id)["data"]
    assert len(deed.processes) == 1


def test_a_command_outlives_its_keeper(make_remote: Any, cold_state: Path, make_deed: Make) -> None:
    deeds, remote = [make_deed("wait"), make_deed("stubborn")], make_remote(stop_grace=0.5)
    jobs = [remote.begin(deed) for deed in deeds]
    for supervisor in below(cold_state, SUPERVISOR):
        kill(supervisor)
    wait_for(lambda: remote.job(jobs[0]) and below(cold_state, SUPERVISOR))
    deeds[0].go()
    assert remote.end(jobs[0])["state"] == "succeeded", "adopted, and its end is by its own account"
    stopped = remote.stop(jobs[1]).json
    assert stopped["state"] == "stopped", "and who adopted it can stop it"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_daemon_ends_with_a_command_that_outlived_its_keeper(
    make_remote: Any, cold_state: Path, make_deed: Make, stopped: bool
) -> None:
    deed, remote = make_deed("daemonwait"), make_remote()
    job_id = remote.begin(deed)
    daemon = int(wait_for(lambda: "begun" in (data := remote.output(job_id)["data"]) and data).split()[1])
    for supervisor in below(cold_state, SUPERVISOR):
        kill(supervisor)
    wait_for(lambda: remote.job(job_id) and below(cold_state, SUPERVISOR))
    assert alive(daemon)
    if stopped:
        assert remote.stop(job_id, query_string={"force": "1"}).json["state"] == "stopped"
    else:
        deed.go()
        assert remote.end(job_id)["state"] == "succeeded"
    wait_for(lambda: not alive(daemon))


def test_a_locked_store_is_waited_for(remote: Remote, make_deed: Make) -> None:
    remote.run(make_deed("say", "hello"))
    connection = sqlite3.connect(
        remote.settings.state_dir / "jobs.db", isolation_level=None, check_same_thread=False
    )
    connection.execute("BEGIN EXCLUSIVE")
    threading.Timer(2.0, connection.rollback).start()
    begun = time.monotonic()
    assert remote.run(make_deed("say", "hello")).status_code == 200
    assert time.monotonic() > begun + 1.5
    connection.close()


def test_an_end_that_cannot_be_noted_now_is_noted_later(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("wait")
    job_id = remote.begin(deed)
    connection = sqlite3.connect(remote.settings.state_dir / "jobs.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    deed.go()
    assert remote.end(job_id)["state"] == "succeeded", "the folder says so"
    connection.rollback()
    connection.close()
    assert not stored(remote, job_id).state.final
    remote.job(job_id)
    assert stored(remote, job_id).state is State.SUCCEEDED
