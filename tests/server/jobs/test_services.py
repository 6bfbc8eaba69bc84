"""Services: commands that run until they are stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from processes import COLD_SUPERVISOR, find_processes, is_running, kill, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote

pytestmark = pytest.mark.slow


def test_service_is_answered_at_once_and_runs_until_stopped(
    make_remote: Any, cold_state: Path, loiter: None
) -> None:
    remote = make_remote(command_timeout=0.5, max_running=1, max_queued=0)
    begun = time.monotonic()
    responses = [remote("scheduler", "POST") for _ in range(2)]
    assert time.monotonic() < begun + remote.settings.default_wait
    for response in responses:
        assert response.status_code == 202
        said = response.json["job"]
        assert (said["kind"], said["state"]) == ("service", "running")
        assert is_running(said["pid"])
        assert response.json["output"] == f"scheduler is running as job {said['id']}"
    first, second = (response.json["job"]["id"] for response in responses)
    wait_for(lambda: remote.output(first)["data"] == "loitering\n")
    quiet = remote.output(first, offset="10", wait="2")
    assert (quiet["data"], quiet["complete"], quiet["state"]) == ("", False, "running")
    assert {job["id"] for job in remote.jobs(state="running", command="scheduler")} == {first, second}
    for job_id in (first, second):
        pid = remote.job(job_id)["pid"]
        stopped = remote.stop(job_id)
        assert (stopped.status_code, stopped.json["state"]) == (200, "stopped")
        assert not is_running(pid)


def test_output_of_a_service_is_truncated_at_the_limit(
    make_remote: Any, cold_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOITER", "and chatter")
    remote = make_remote(max_output_bytes=1000)
    said = remote("scheduler", "POST").json["job"]
    stdout = cold_state / "jobs" / said["id"] / "stdout"
    sizes = [0]

    def shrinks() -> bool:
        sizes.append(stdout.stat().st_size)
        return sizes[-1] < sizes[-2]

    wait_for(shrinks)
    assert remote.job(said["id"])["state"] == "running"
    assert remote.stop(said["id"]).json["state"] == "stopped"


def test_service_that_cannot_start_fails(remote: Remote) -> None:
    response = remote("kerberos", "POST", PREFER="wait=60")
    assert response.status_code == 422
    assert response.json["job"]["state"] == "failed"
    assert response.json["job"]["kind"] == "service"


@pytest.mark.parametrize("how", ["as a daemon", "as a slow daemon"])
@pytest.mark.parametrize("asked", [False, True])
def test_daemon_of_a_service_lives_on_only_with_the_daemon_option(
    make_remote: Any, cold_state: Path, monkeypatch: pytest.MonkeyPatch, asked: bool, how: str
) -> None:
    """Also if it is still in the command's process group as the command ends, or not yet the supervisor's."""
    monkeypatch.setenv("LOITER", how)
    remote = make_remote()
    said = remote("scheduler", "POST", data={"daemon": "true"} if asked else {}).json["job"]
    assert remote.end(said["id"])["exit_code"] == 0
    daemon = int(remote.output(said["id"])["data"].split()[0])
    wait_for(lambda: not find_processes(cold_state, COLD_SUPERVISOR))
    assert is_running(daemon) == asked
    kill(daemon)
