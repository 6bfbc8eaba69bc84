"""``DELETE /jobs/ID``, and a disk that is almost full."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs import spools
from airflow_remote_server.jobs.factory import make_jobs
from airflow_remote_server.util.reserve import RESERVE_BYTES, STEP_BYTES, Reserve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from remote import Remote


def test_ended_job_is_deleted(make_remote: Callable[..., Remote], old: Any) -> None:
    remote = make_remote()
    one, other = old(2, b"output")
    response = remote(f"jobs/{one.id}", "DELETE")
    assert (response.status_code, response.json["id"], response.json["state"]) == (200, one.id, "succeeded")
    assert remote(f"jobs/{one.id}").status_code == 404
    assert not (remote.settings.state_dir / "jobs" / one.id).exists()
    assert [job["id"] for job in remote.jobs()] == [other.id]
    assert remote(f"jobs/{one.id}", "DELETE").status_code == 404
    [refused, entry] = remote("audit", query_string={"job": one.id}).json["audit"]
    assert (refused["name"], refused["result"]) == ("delete", "invalid")
    assert (entry["name"], entry["method"], entry["result"]) == ("delete", "DELETE", "done")
    assert entry["command"] == "airflow version"


def test_running_job_is_not_deleted(make_remote: Callable[..., Remote], make_probe: Any) -> None:
    remote, probe = make_remote(), make_probe("wait")
    job_id = remote.begin(probe)
    response = remote(f"jobs/{job_id}", "DELETE")
    assert (response.status_code, response.json["error"]["type"]) == (409, "Conflict")
    assert "stop it first" in response.json["output"]
    remote.stop(job_id)
    assert remote(f"jobs/{job_id}", "DELETE").status_code == 200


@pytest.mark.parametrize(("role", "more"), [("operator", ""), ("admin", 'dags = ["x"]\n')])
def test_only_unrestricted_admins_delete(holder: Any, remote: Remote, role: str, more: str) -> None:
    job_id = remote("version").json["job"]["id"]
    response = holder(role, more)(f"jobs/{job_id}", "DELETE")
    assert response.status_code == 403
    assert "Refused by the role" in response.json["output"]
    assert remote(f"jobs/{job_id}").status_code == 200


def test_almost_full_disk_only_stops_new_commands(
    make_remote: Callable[..., Remote], make_probe: Any, shared_state: Path
) -> None:
    before = make_remote(state_dir=shared_state)
    key = {"IDEMPOTENCY-KEY": "before the disk was full"}
    done, probe = before("version", **key).json["job"]["id"], make_probe("wait")
    running = before.begin(probe)
    remote = make_remote(state_dir=shared_state, min_free_bytes=1 << 60)
    response = remote("version")
    assert (response.status_code, response.json["error"]["type"]) == (507, "InsufficientStorage")
    assert "job prune" in response.json["output"]
    again = remote("version", **key)
    assert (again.status_code, again.json["job"]["id"]) == (200, done), "a repeated request runs nothing"
    assert remote("version?tree", **key).status_code == 400
    assert remote("list_dags", **key).status_code == 409
    assert remote("health").status_code == 200
    assert remote.job(done)["state"] == "succeeded"
    assert remote.output(done)["data"]
    assert remote.stop(running).json["state"] == "stopped"
    for job_id in (done, running):
        assert remote(f"jobs/{job_id}", "DELETE").status_code == 200


def test_reserve_is_used_up_step_by_step(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    assert not reserve.shrink()
    reserve.fill(keep_free=1 << 60)
    assert not reserve.path.exists(), "the disk has no room for it"
    reserve.fill(keep_free=0)
    status = reserve.path.stat()
    assert (status.st_size, status.st_mode & 0o777) == (RESERVE_BYTES, 0o600)
    assert status.st_blocks * 512 >= RESERVE_BYTES, "it occupies the space"
    for left in range(RESERVE_BYTES - STEP_BYTES, -1, -STEP_BYTES):
        assert reserve.shrink()
        assert reserve.path.stat().st_size == left
    assert not reserve.shrink()
    reserve.fill(keep_free=0)
    assert reserve.path.stat().st_size == RESERVE_BYTES


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), Unavailable("database or disk is full")]
)
def test_reserve_is_used_for_what_must_be_recorded(
    make_settings: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    jobs = make_jobs(make_settings())
    jobs.spools.ensure_state_dir()
    jobs.spools.reserve.fill(keep_free=0)
    attempts = []

    def fail_twice() -> str:
        attempts.append(jobs.spools.reserve.path.stat().st_size)
        if len(attempts) < 3:
            raise error
        return "recorded"

    with pytest.raises(type(error)):
        jobs.spools.with_reserve(fail_twice)
    assert len(attempts) == 1, "the disk is not full, so the reserve would not help"
    attempts.clear()
    monkeypatch.setattr(spools, "free_bytes", lambda _: 0)
    assert jobs.spools.with_reserve(fail_twice) == "recorded"
    assert attempts == [RESERVE_BYTES, RESERVE_BYTES - STEP_BYTES, RESERVE_BYTES - 2 * STEP_BYTES]
