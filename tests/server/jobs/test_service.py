"""Submit jobs over HTTP, and wait for them."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for
from remote import TOKEN

if TYPE_CHECKING:
    from probe_dag import MakeProbe
    from remote import Remote

pytestmark = pytest.mark.slow


def test_asynchronous_request_is_answered_with_its_job(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("wait")
    response = remote.run(probe, PREFER="respond-async")
    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "respond-async"
    said = response.json["job"]
    assert response.headers["Location"] == said["url"] == f"/admin/rest_api/api/v1.0/jobs/{said['id']}"
    verb = {"queued": "is queued", "running": "is running"}[said["state"]]
    assert response.json["output"] == f"list_tasks {verb} as job {said['id']}"
    assert response.json["status"] == "OK"
    running = remote.until(said["id"], "running")
    [process] = wait_for(lambda: probe.processes)
    assert (running["pid"], running["ended"], running["exit_code"]) == (process, None, None)
    assert running["created"] <= running["started"]
    probe.release()
    done = remote.end(said["id"])
    assert (done["state"], done["exit_code"], done["message"]) == ("succeeded", 0, "")
    assert done["started"] == running["started"] < done["ended"]
    assert done["stdout_bytes"] >= len("begun\ndone\n")
    assert "pid" not in done


@pytest.mark.parametrize("prefer", ["wait=0", "wait=1"])
def test_request_waits_as_long_as_it_prefers(remote: Remote, make_probe: MakeProbe, prefer: str) -> None:
    begun = time.monotonic()
    response = remote.run(make_probe("wait"), PREFER=prefer)
    assert response.status_code == 202
    assert int(prefer[-1]) <= time.monotonic() - begun < remote.settings.default_wait
    assert response.json["job"]["state"] in ("queued", "running")


def test_request_waits_no_longer_than_max_wait(
    make_remote: Any, shared_state: Path, make_probe: MakeProbe
) -> None:
    remote = make_remote(state_dir=shared_state, max_wait=0.5)
    for more in ({}, {"PREFER": "wait=60"}):
        assert remote.run(make_probe("wait"), **more).status_code == 202


@pytest.mark.parametrize("way", ["warm", "cold"])
def test_limits_of_running_and_queued_commands_hold(
    make_remote: Any, make_probe: MakeProbe, request: pytest.FixtureRequest, way: str
) -> None:
    request.getfixturevalue("state" if way == "warm" else "cold_state")
    remotes = [make_remote(max_running=1, max_queued=2) for _ in range(2)]
    probes = [make_probe("wait"), make_probe("say", "next"), make_probe("say", "stopped")]
    first = remotes[0].begin(probes[0])
    second, third = (each.start(probe) for each, probe in zip(remotes, probes[1:], strict=True))
    key = uuid.uuid4().hex
    for remote in remotes:
        refused = remote.run(make_probe("say", "refused"), IDEMPOTENCY_KEY=key)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert "3 commands are running or queued already" in refused.json["output"]
    assert remotes[0].job(second)["state"] == remotes[0].job(third)["state"] == "queued"
    stopped = remotes[0].stop(third)
    assert (stopped.status_code, stopped.json["state"], stopped.json["started"]) == (200, "stopped", None)
    probes[0].release()
    assert [remotes[1].end(job_id)["state"] for job_id in (first, second)] == ["succeeded"] * 2
    assert [len(probe.processes) for probe in probes] == [1, 1, 0]
    assert remotes[0].run(make_probe("say", "now"), IDEMPOTENCY_KEY=key).status_code == 200


def test_one_token_leaves_room_in_the_queue_for_others(
    holder: Any, state: Path, make_probe: MakeProbe
) -> None:
    ci = holder("admin", state_dir=state, max_running=1, max_queued=4)
    running = ci.begin(make_probe("wait"))
    queued = [ci.start(make_probe("say", "queued")) for _ in range(2)]
    refused = ci.run(make_probe("say", "refused"))
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "3 commands of ci are running or queued already" in refused.json["output"]
    assert "max_queue_share" in refused.json["output"]
    admin = ci.holding(TOKEN)
    others = [admin.start(make_probe("say", "admitted")) for _ in range(2)]
    full = admin.run(make_probe("say", "refused"))
    assert full.status_code == 429
    assert "5 commands are running or queued already" in full.json["output"]
    for job_id in (*queued, *others, running):
        assert admin.stop(job_id).json["state"] == "stopped"


def test_many_concurrent_commands_run_once_each(
    make_remote: Any, shared_state: Path, make_probe: MakeProbe
) -> None:
    remotes = [make_remote(state_dir=shared_state) for _ in range(4)]
    probes = [make_probe("say", "hello") for _ in range(60)]
    with ThreadPoolExecutor(20) as pool:
        done = pool.map(lambda number: remotes[number % 4].run(probes[number]), range(len(probes)))
        assert [response.status_code for response in done] == [200] * len(probes)
    assert [len(probe.processes) for probe in probes] == [1] * len(probes)


def test_locked_store_is_retried(remote: Remote, make_probe: MakeProbe) -> None:
    remote.run(make_probe("say", "hello"))
    connection = sqlite3.connect(
        remote.settings.state_dir / "jobs.db", isolation_level=None, check_same_thread=False
    )
    connection.execute("BEGIN EXCLUSIVE")
    unlocked = threading.Event()

    def unlock() -> None:
        unlocked.set()
        connection.rollback()

    timer = threading.Timer(2.0, unlock)
    timer.start()
    assert remote.run(make_probe("say", "hello")).status_code == 200
    assert unlocked.is_set()
    timer.join()
    connection.close()
