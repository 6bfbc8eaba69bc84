"""Jobs survive the loss of their web worker, their supervisor or the store."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import COLD_SUPERVISOR, find_processes, is_running, kill, wait_for

from airflow_remote_server.execution.spool import Spool
from airflow_remote_server.jobs.models import JobState
from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    from probe_dag import MakeProbe
    from remote import Remote

pytestmark = pytest.mark.slow


class WorkerAborted(BaseException):
    """Ends a request in the middle, as gunicorn does if a worker takes too long."""


def abort(*_: Any) -> None:
    """Abort the worker."""
    raise WorkerAborted


def stored(remote: Remote, job_id: str) -> Any:
    """Return a job from the store."""
    return JobStore(f"sqlite:///{remote.settings.state_dir / 'jobs.db'}").get(job_id)


def test_job_that_never_ran_is_run_by_the_repeated_request(
    remote: Remote, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, probe = uuid.uuid4().hex, make_probe("say", "hello")
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "prepare", abort)
        with pytest.raises(WorkerAborted):
            remote.run(probe, IDEMPOTENCY_KEY=key)
    [left] = remote.jobs(command=f"tasks list -- {probe.id}")
    assert left["state"] == "queued", "for all that anybody knows"
    monkeypatch.setattr("airflow_remote_server.jobs.reconciler.SUBMIT_SECONDS", 0.0)
    response = remote.run(probe, IDEMPOTENCY_KEY=key)
    assert (response.status_code, len(probe.processes)) == (200, 1)
    assert remote(f"jobs/{left['id']}").status_code == 404


def test_job_that_never_ran_is_lost(
    remote: Remote, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = make_probe("say", "hello")
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "prepare", abort)
        with pytest.raises(WorkerAborted):
            remote.run(probe)
    monkeypatch.setattr("airflow_remote_server.jobs.reconciler.SUBMIT_SECONDS", 0.0)
    [job] = remote.jobs(command=f"tasks list -- {probe.id}")
    assert (job["state"], job["started"]) == ("lost", None)
    assert "it never ran" in job["message"]
    assert probe.processes == []


def test_job_of_an_aborted_worker_is_run(
    remote: Remote, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = make_probe("say", "hello")
    with monkeypatch.context() as patch:
        patch.setattr("airflow_remote_server.execution.client.ForkServerClient.start", abort)
        with pytest.raises(WorkerAborted):
            remote.run(probe)
    monkeypatch.setattr("airflow_remote_server.jobs.reconciler.SUBMIT_SECONDS", 0.0)
    [job] = remote.jobs(command=f"tasks list -- {probe.id}")
    assert remote.end(job["id"])["state"] == "succeeded"
    assert len(probe.processes) == 1


def test_end_is_recorded_without_the_requesting_worker(
    make_remote: Any, shared_state: Path, make_probe: MakeProbe
) -> None:
    probe = make_probe("wait")
    job_id = make_remote(state_dir=shared_state).begin(probe)
    other = make_remote(state_dir=shared_state)
    probe.release()
    wait_for(lambda: not is_running(probe.processes[0]))
    wait_for(lambda: other.jobs(state="succeeded", limit="500")[0]["id"] >= job_id)
    assert stored(other, job_id).state is JobState.SUCCEEDED


WORKER = Path(__file__).parents[1].joinpath("worker.py")


@pytest.mark.parametrize("way", ["shared_state", "cold_state"])
def test_command_outlives_its_web_worker(
    make_remote: Any, make_probe: MakeProbe, major: int, request: pytest.FixtureRequest, way: str
) -> None:
    state = request.getfixturevalue(way)
    probe, remote = make_probe("wait"), make_remote(state_dir=state)
    with subprocess.Popen([sys.executable, WORKER, str(state), probe.id, str(major)]) as worker:
        wait_for(lambda: probe.processes)
        worker.kill()
    [job] = remote.jobs(command=f"tasks list -- {probe.id}")
    assert job["state"] == "running"
    probe.release()
    assert remote.end(job["id"])["state"] == "succeeded"
    assert "done" in remote.output(job["id"])["data"]


def test_command_killed_with_its_supervisor_is_lost(
    make_remote: Any, cold_state: Path, make_probe: MakeProbe
) -> None:
    probe, remote = make_probe("wait"), make_remote()
    job_id = remote.begin(probe)
    [supervisor] = find_processes(cold_state, COLD_SUPERVISOR)
    os.kill(supervisor, signal.SIGSTOP)  # so that it cannot see the command's end
    kill(probe.processes[0])
    kill(supervisor)
    job = remote.end(job_id)
    assert (job["state"], job["exit_code"]) == ("lost", None)
    assert "the changes it made before remain" in job["message"]
    assert "begun" in remote.output(job_id)["data"]
    assert len(probe.processes) == 1


def test_command_outlives_its_supervisor(make_remote: Any, cold_state: Path, make_probe: MakeProbe) -> None:
    probes, remote = [make_probe("wait"), make_probe("stubborn")], make_remote(stop_grace=0.5)
    jobs = [remote.begin(probe) for probe in probes]
    for supervisor in find_processes(cold_state, COLD_SUPERVISOR):
        kill(supervisor)
    wait_for(lambda: remote.job(jobs[0]) and find_processes(cold_state, COLD_SUPERVISOR))
    probes[0].release()
    assert remote.end(jobs[0])["state"] == "succeeded", "adopted, and its end is by its own account"
    stopped = remote.stop(jobs[1]).json
    assert stopped["state"] == "stopped", "and who adopted it can stop it"


@pytest.mark.parametrize("stopped", [False, True])
def test_daemon_ends_with_a_command_that_outlived_its_supervisor(
    make_remote: Any, cold_state: Path, make_probe: MakeProbe, stopped: bool
) -> None:
    probe, remote = make_probe("daemonwait"), make_remote()
    job_id = remote.begin(probe)
    daemon = int(wait_for(lambda: "begun" in (data := remote.output(job_id)["data"]) and data).split()[1])
    for supervisor in find_processes(cold_state, COLD_SUPERVISOR):
        kill(supervisor)
    wait_for(lambda: remote.job(job_id) and find_processes(cold_state, COLD_SUPERVISOR))
    assert is_running(daemon)
    if stopped:
        assert remote.stop(job_id, query_string={"force": "1"}).json["state"] == "stopped"
    else:
        probe.release()
        assert remote.end(job_id)["state"] == "succeeded"
    wait_for(lambda: not is_running(daemon))


def test_end_is_recorded_later_if_the_store_is_locked(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("wait")
    job_id = remote.begin(probe)
    connection = sqlite3.connect(remote.settings.state_dir / "jobs.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    probe.release()
    assert remote.end(job_id)["state"] == "succeeded", "the folder says so"
    connection.rollback()
    connection.close()
    assert not stored(remote, job_id).state.final
    remote.job(job_id)
    assert stored(remote, job_id).state is JobState.SUCCEEDED
