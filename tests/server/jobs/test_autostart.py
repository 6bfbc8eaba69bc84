"""Services that were running when a container ended are started again with the webserver."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from processes import COLD_SUPERVISOR, find_processes, is_running, kill, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote

pytestmark = pytest.mark.slow


def watch(*remotes: Remote) -> None:
    """Do what the watchers of some web workers do every few seconds, all at once."""
    watchers = [remote.client.application.app.api.get().watcher for remote in remotes]  # type: ignore[attr-defined]
    with ThreadPoolExecutor(len(watchers)) as pool:
        assert any(pool.map(lambda watcher: watcher.watch_once(), watchers))


def replace_container(state: Path) -> None:
    """Kill all that runs in a state directory, first the supervisors: nobody sees how a service ends."""
    running = find_processes(state)
    for pid in sorted(running, key=lambda pid: COLD_SUPERVISOR not in running[pid]):
        kill(pid)
    wait_for(lambda: not find_processes(state))


def services(remote: Remote, **query: str) -> list[dict[str, Any]]:
    """Return the jobs that are services, newest first."""
    return [job for job in remote.jobs(**query) if job["kind"] == "service"]


def start(remote: Remote, **data: str) -> str:
    """Start a scheduler, wait until it runs, and return its job."""
    response = remote("scheduler", "POST", data=data)
    assert response.status_code == 202, response.text
    job_id = str(response.json["job"]["id"])
    wait_for(lambda: "loitering" in remote.output(job_id)["data"])
    return job_id


def watch_until_known(remotes: list[Remote], *job_ids: str) -> None:
    """Watch until the ends of jobs are known and their notes have been handled."""
    notes = remotes[0].settings.state_dir / "found-dead"

    def done() -> bool:
        watch(*remotes)
        ended = all(remotes[0].job(job_id)["ended"] for job_id in job_ids)
        return ended and not (notes.is_dir() and list(notes.iterdir()))

    wait_for(done)


@pytest.mark.parametrize("patterns", [("*",), ("sched*",)])
def test_service_is_started_again_once(
    make_remote: Any, cold_state: Path, loiter: None, patterns: tuple[str, ...]
) -> None:
    remotes = [make_remote(services_autostart=patterns) for _ in range(3)]
    remote = remotes[0]
    first = start(remote, num_runs="7")
    stopped = start(remote, num_runs="8")
    assert remote.stop(stopped).json["state"] == "stopped"
    other = start(remote)
    replace_container(cold_state)
    watch_until_known(remotes, first, other)
    assert [remote.job(job_id)["state"] for job_id in (first, other, stopped)] == ["lost", "lost", "stopped"]
    again = {job["airflow_cmd"]: job for job in services(remote, state="running,queued")}
    assert sorted(again) == sorted(remote.job(job_id)["airflow_cmd"] for job_id in (first, other))
    for _ in range(3):
        watch(*remotes)
    assert len(services(remote)) == 5
    for job in again.values():
        [entry] = remote("audit", query_string={"job": job["id"]}).json["audit"]
        assert (entry["principal"], entry["result"], entry["name"]) == ("token", "running", "scheduler")
        assert "found dead" in entry["message"]
        pid = remote.until(job["id"], "running")["pid"]
        assert is_running(pid)
        assert remote.stop(job["id"], PREFER="wait=60").json["state"] == "stopped"
    replace_container(cold_state)
    watch(*remotes)
    assert services(remote, state="running,queued") == []


@pytest.mark.parametrize("patterns", [(), ("triggerer", "celery *")])
def test_other_services_are_not_started_again(
    make_remote: Any, cold_state: Path, loiter: None, patterns: tuple[str, ...]
) -> None:
    remote = make_remote(services_autostart=patterns)
    job_id = start(remote)
    replace_container(cold_state)
    watch_until_known([remote], job_id)
    watch(remote)
    assert [job["id"] for job in services(remote)] == [job_id]


def test_service_that_runs_again_already_is_left_alone(
    make_remote: Any, cold_state: Path, loiter: None
) -> None:
    remote = make_remote(services_autostart=("*",))
    job_id = start(remote)
    replace_container(cold_state)
    wait_for(lambda: remote.job(job_id)["ended"])
    again = start(remote)
    watch_until_known([remote], job_id)
    assert [job["id"] for job in services(remote)] == [again, job_id]
    assert remote.stop(again, PREFER="wait=60").json["state"] == "stopped"


def test_service_that_the_policy_refuses_today_is_not_started_again(
    make_remote: Any, cold_state: Path, loiter: None
) -> None:
    job_id = start(make_remote())
    replace_container(cold_state)
    remote = make_remote(services_autostart=("*",), deny_commands=("scheduler",))
    watch_until_known([remote], job_id)
    assert [job["id"] for job in services(remote)] == [job_id]
