"""Services: commands that run until they are stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from processes import SUPERVISOR, alive, below, kill, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote

pytestmark = pytest.mark.slow


def test_a_service_is_answered_at_once_and_runs_until_it_is_stopped(
    make_remote: Any, cold_state: Path, loiter: None
) -> None:
    remote = make_remote(command_timeout=0.5, max_running=1, max_queued=0)
    begun = time.monotonic()
    responses = [remote("scheduler", "POST") for _ in range(2)]
    assert time.monotonic() < begun + 10
    for response in responses:
        assert response.status_code == 202
        said = response.json["job"]
        assert (said["kind"], said["state"]) == ("service", "running")
        assert alive(said["pid"])
        assert response.json["output"] == f"scheduler runs as job {said['id']}"
    first, second = (response.json["job"]["id"] for response in responses)
    wait_for(lambda: remote.output(first)["data"] == "loitering\n")
    quiet = remote.output(first, offset="10", wait="2")
    assert (quiet["data"], quiet["complete"], quiet["state"]) == ("", False, "running")
    assert {job["id"] for job in remote.jobs(state="running", command="scheduler")} == {first, second}
    for job_id in (first, second):
        pid = remote.job(job_id)["pid"]
        stopped = remote.stop(job_id)
        assert (stopped.status_code, stopped.json["state"]) == (200, "stopped")
        assert not alive(pid)


def test_the_output_of_a_service_begins_anew_before_it_fills_the_disk(
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


def test_a_service_that_cannot_start_says_so(remote: Remote) -> None:
    response = remote("kerberos", "POST", PREFER="wait=60")
    assert response.status_code == 422
    assert response.json["job"]["state"] == "failed"
    assert response.json["job"]["kind"] == "service"


@pytest.mark.parametrize("how", ["as a daemon", "as a slow daemon"])
@pytest.mark.parametrize("asked", [False, True])
def test_what_a_service_leaves_behind_lives_on_only_where_that_was_asked_for(
    make_remote: Any, cold_state: Path, monkeypatch: pytest.MonkeyPatch, asked: bool, how: str
) -> None:
    """Also when it is still in the command's process group, or not yet the keeper's, as the command ends."""
    monkeypatch.setenv("LOITER", how)
    remote = make_remote()
    said = remote("scheduler", "POST", data={"daemon": "true"} if asked else {}).json["job"]
    assert remote.end(said["id"])["exit_code"] == 0
    daemon = int(remote.output(said["id"])["data"].split()[0])
    wait_for(lambda: not below(cold_state, SUPERVISOR))
    assert alive(daemon) == asked
    kill(daemon)
