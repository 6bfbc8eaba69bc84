"""Services that are started again when they fail."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import COLD_SUPERVISOR, find_processes, is_command, is_running, kill, parent_of, wait_for

from airflow_remote_server.execution.restarts import (
    FIRST_DELAY,
    INTERVAL_SECONDS,
    LONGEST_DELAY,
    NO_FAILURES,
    STEADY_SECONDS,
    Restarts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote


@given(
    limit=st.integers(1, 20),
    runs=st.lists(st.floats(0, 2 * STEADY_SECONDS, allow_nan=False), min_size=1, max_size=40),
)
def test_delays_double_and_restarts_are_limited(limit: int, runs: list[float]) -> None:
    record, now, delay = Restarts(limit), 1e9, 0.0
    for seconds in runs:
        now += seconds
        record = record.after_failure(1, seconds, now)
        if record.next is None:
            assert record.exhausted
            assert len([moment for moment in record.recent if moment > now - INTERVAL_SECONDS]) == limit
            return
        fresh = delay == 0 or seconds >= STEADY_SECONDS
        delay = FIRST_DELAY if fresh else min(2 * delay, LONGEST_DELAY)
        assert record.next == now + delay
        now = record.next
        record = record.after_restart(now)
    assert (record.count, record.next, record.exhausted) == (len(runs), None, False)
    assert len(record.recent) <= limit


@pytest.fixture
def needed(cold_state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make all cold processes fail until a file exists; return the file."""
    file = cold_state / "needed"
    monkeypatch.setenv("LOITER", f"needs {file}")
    return file


def start(remote: Remote, **data: str) -> str:
    """Start a scheduler that is started again when it fails, and return the id of its job."""
    response = remote("scheduler", "POST", data={"restart": "on-failure", **data})
    assert response.status_code == 202, response.text
    assert "restart" not in response.json["airflow_cmd"]
    return str(response.json["job"]["id"])


def pids(remote: Remote, job_id: str) -> list[int]:
    """Return the processes that a service has had."""
    return [int(word) for word in remote.output(job_id)["data"].split() if word.isdigit()]


def wait_until_waiting(remote: Remote, job_id: str, count: int = 0) -> dict[str, Any]:
    """Wait until a service waits to be started again, and return its job.

    :param count: how often it must have been started again already, at least
    """

    def waits() -> dict[str, Any] | None:
        job = remote.job(job_id)
        assert job["state"] in ("queued", "running"), job
        restarts = job["restarts"]
        return job if restarts["next"] and restarts["count"] >= count else None

    return dict(wait_for(waits))


def find_supervisors(state: Path) -> list[int]:
    """Return the cold supervisors of a state directory."""
    return [
        pid for pid in find_processes(state, COLD_SUPERVISOR) if parent_of(pid) == 1 or not is_command(pid)
    ]


def wait_until_works(remote: Remote, job_id: str) -> int:
    """Wait until a service works, and return its process."""
    wait_for(lambda: remote.output(job_id)["data"].endswith("loitering\n"))
    return int(wait_for(lambda: remote.job(job_id).get("pid")))


@pytest.mark.slow
def test_failed_service_is_started_again_until_it_works(make_remote: Any, needed: Path) -> None:
    remote = make_remote()
    job_id = start(remote)
    waiting = wait_until_waiting(remote, job_id, count=1)
    assert (waiting["state"], waiting.get("pid"), waiting["ended"]) == ("running", None, None)
    assert "ended with exit code 3; it is started again in " in waiting["restarts"]["message"]
    assert waiting["restarts"]["limit"] == remote.settings.service_restart_limit
    refused = remote("scheduler", "POST")
    assert (refused.status_code, refused.json["error"]["job"]["id"]) == (409, job_id)
    needed.touch()
    pid = wait_until_works(remote, job_id)
    attempts = pids(remote, job_id)
    assert pid == attempts[-1]
    assert len(set(attempts)) == len(attempts) >= 2
    working = remote.job(job_id)
    assert working["restarts"]["count"] == len(attempts) - 1
    assert working["restarts"]["next"] is None
    log = remote.output(job_id, stream="stderr")["data"]
    assert log.count("something is missing") == len(attempts) - 1
    assert "airflow-remote: the service ended with exit code 3; it is started again in 1 s\n" in log

    kill(pid)
    wait_for(lambda: remote.job(job_id)["restarts"]["count"] == len(attempts))
    wait_for(lambda: len(pids(remote, job_id)) == len(attempts) + 1)
    assert "was ended by SIGKILL" in remote.output(job_id, stream="stderr")["data"]
    assert remote.stop(job_id).json["state"] == "stopped"
    job = remote.job(job_id)
    assert (job["error"], job["restarts"]["count"]) == (None, len(attempts))
    assert not any(map(is_running, pids(remote, job_id)))
    assert not (needed.parent / "jobs" / job_id / "kept.json").exists()
    assert [entry["state"] for entry in remote("audit", query_string={"job": job_id}).json["audit"]] == [
        "stopped"
    ] * 2


@pytest.mark.slow
@pytest.mark.parametrize("force", ["false", "true"])
def test_service_is_stopped_while_it_waits(make_remote: Any, needed: Path, force: str) -> None:
    remote = make_remote()
    job_id = start(remote)
    wait_until_waiting(remote, job_id, count=1)
    stopped = remote.stop(job_id, query_string={"force": force}, PREFER="wait=60")
    assert (stopped.status_code, stopped.json["state"]) == (200, "stopped")
    job = remote.job(job_id)
    assert (job["message"], job["error"], job["restarts"]["next"]) == ("", None, None)
    wait_for(lambda: not find_supervisors(needed.parent))
    assert not any(map(is_running, pids(remote, job_id)))
    assert start(remote) != job_id
    [other] = remote.jobs(state="running") or remote.jobs(state="queued")
    assert remote.stop(other["id"], PREFER="wait=60").json["state"] == "stopped"


@pytest.mark.slow
def test_service_that_fails_too_often_is_failed(make_remote: Any, needed: Path) -> None:
    remote = make_remote(service_restart="on-failure", service_restart_limit=2)
    response = remote("scheduler", "POST")
    job = remote.end(response.json["job"]["id"])
    assert job["state"] == "failed"
    assert job["message"].startswith(
        "started again 2 times within 10 min, in vain: the service ended with exit code 3; its last lines: "
    )
    assert job["message"].endswith("something is missing")
    assert job["error"]["message"] == job["message"]
    assert (job["restarts"]["count"], job["restarts"]["next"]) == (2, None)
    assert len(pids(remote, job["id"])) == 3


@pytest.mark.slow
def test_request_may_say_no(make_remote: Any, needed: Path) -> None:
    remote = make_remote(service_restart="on-failure")
    job = remote.end(remote("scheduler", "POST", data={"restart": "no"}).json["job"]["id"])
    assert (job["state"], job["restarts"]) == ("failed", None)
    assert len(pids(remote, job["id"])) == 1
    invalid = remote("scheduler", "POST", data={"restart": "always"})
    assert invalid.status_code == 400
    assert "on-failure" in invalid.json["output"]


@pytest.mark.slow
def test_service_that_an_operator_ends_is_not_started_again(make_remote: Any, needed: Path) -> None:
    assert -signal.SIGTERM in NO_FAILURES
    remote = make_remote()
    needed.touch()
    job_id = start(remote)
    kill(wait_until_works(remote, job_id), signal.SIGTERM)
    job = remote.end(job_id)
    assert (job["state"], job["restarts"]["count"]) == ("failed", 0)
    assert len(pids(remote, job_id)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
def test_another_supervisor_goes_on(make_remote: Any, needed: Path, together: bool) -> None:
    """A supervisor is killed: while the service waits, or together with the service."""
    remote = make_remote()
    job_id = start(remote)
    if together:
        needed.touch()
        pid = wait_until_works(remote, job_id)
        before = remote.job(job_id)["restarts"]["count"]
        [supervisor] = find_supervisors(needed.parent)
        kill(supervisor)
        kill(pid)
    else:
        before = wait_until_waiting(remote, job_id, count=2)["restarts"]["count"]
        [supervisor] = find_supervisors(needed.parent)
        kill(supervisor)
        needed.touch()
    wait_for(lambda: remote.job(job_id)["restarts"]["count"] == before + 1)
    assert len(find_supervisors(needed.parent)) == 1
    wait_for(lambda: len(pids(remote, job_id)) == before + 2)
    assert remote.stop(job_id, PREFER="wait=60").json["state"] == "stopped"
    assert remote.job(job_id)["error"] is None
