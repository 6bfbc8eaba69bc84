"""Services: commands that run until they are stopped."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from processes import COLD_SUPERVISOR, find_processes, is_command, is_running, kill, parent_of, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote

pytestmark = pytest.mark.slow


def test_service_is_answered_at_once_and_runs_until_stopped(
    make_remote: Any, cold_state: Path, loiter: None
) -> None:
    remote = make_remote(command_timeout=0.5, max_running=1, max_queued=0)
    begun = time.monotonic()
    responses = [remote("scheduler", "POST", data=data) for data in ({}, {"force": "true"})]
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
        assert (stopped.status_code, stopped.json["state"], stopped.json["message"]) == (200, "stopped", "")
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


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("a chain", "the port 8793 is in use"),
        ("SIGKILL", "the service was ended by SIGKILL; its last lines: first line | second line"),
        ("exit", "the service ended with exit code 3; its last lines: first line | second line"),
    ],
)
def test_service_that_ends_by_itself_says_why(
    make_remote: Any, cold_state: Path, monkeypatch: pytest.MonkeyPatch, raised: str, message: str
) -> None:
    monkeypatch.setenv("LOITER", f"fail with {raised}")
    remote = make_remote()
    job = remote.end(remote("scheduler", "POST").json["job"]["id"])
    assert (job["state"], job["http_response_code"]) == ("failed", 422)
    assert message in job["message"]
    assert "Airflow gave up" not in job["message"]
    assert job["error"]["message"] == job["message"]


def test_service_is_not_started_twice(make_remote: Any, cold_state: Path, loiter: None) -> None:
    remote = make_remote()
    first = remote("scheduler", "POST", IDEMPOTENCY_KEY="one").json["job"]
    refused = remote("scheduler", "POST")
    assert (refused.status_code, refused.json["error"]["type"]) == (409, "Conflict")
    assert refused.json["error"]["job"] == first
    assert "job" not in refused.json
    assert first["id"] in refused.json["output"]
    assert "force=true" in refused.json["output"]
    repeated = remote("scheduler", "POST", IDEMPOTENCY_KEY="one")
    assert (repeated.status_code, repeated.json["job"]["id"]) == (202, first["id"])
    others = [
        remote("scheduler", "POST", data=data)
        for data in ({"num_runs": "7"}, {"force": "true"}, {"num_runs": "7", "force": "true"})
    ]
    assert [response.status_code for response in others] == [202] * 3
    assert "force" not in others[1].json["airflow_cmd"]
    for response in others:
        assert remote.stop(response.json["job"]["id"]).json["state"] == "stopped"
    assert remote.stop(first["id"]).json["state"] == "stopped"
    again = remote("scheduler", "POST").json["job"]["id"]
    assert remote.stop(again).json["state"] == "stopped"


def test_only_one_of_simultaneous_requests_starts_a_service(
    make_remote: Any, cold_state: Path, loiter: None
) -> None:
    remote = make_remote()
    with ThreadPoolExecutor(6) as pool:
        responses = [each.result() for each in [pool.submit(remote, "scheduler", "POST") for _ in range(6)]]
    assert sorted(response.status_code for response in responses) == [202, *[409] * 5]
    [started] = [response.json["job"]["id"] for response in responses if response.status_code == 202]
    refusals = [response.json["error"]["job"]["id"] for response in responses if response.status_code == 409]
    assert set(refusals) == {started}
    assert remote.stop(started).json["state"] == "stopped"


def test_text_of_a_service_includes_its_log(make_remote: Any, patient: Path) -> None:
    patient.touch()
    remote = make_remote()
    with ThreadPoolExecutor() as pool:
        streamed = pool.submit(remote, "scheduler", "POST", ACCEPT="text/plain", PREFER="wait=100")
        [job] = wait_for(lambda: remote.jobs(state="running"))
        wait_for(lambda: remote.output(job["id"], stream="stderr")["data"])
        assert remote.stop(job["id"]).json["state"] == "stopped"
        response = streamed.result()
    assert (response.status_code, response.content_type) == (200, "text/plain; charset=utf-8")
    assert "the task ended with 0 after 1 SIGTERM" in response.text


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


@pytest.fixture
def patient(cold_state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make all cold processes behave like a scheduler with a task; return the file that ends the task."""
    file = cold_state / "task may end"
    monkeypatch.setenv("LOITER", f"until {file}")
    return file


def start_patient(remote: Remote) -> tuple[str, list[int]]:
    """Start a service with a running task; return the id of its job, and the processes of both."""
    said = remote("scheduler", "POST").json["job"]
    line = wait_for(lambda: remote.output(said["id"], stream="stderr")["data"].partition("\n")[0])
    return said["id"], [said["pid"], *map(int, line.split())]


def test_stopped_service_lets_its_task_finish(make_remote: Any, patient: Path) -> None:
    remote = make_remote(service_stop_grace=500.0)
    job_id, processes = start_patient(remote)
    assert remote.job(job_id)["stopping"] is None
    for _ in range(2):
        response = remote.stop(job_id, PREFER="wait=1")
        assert (response.status_code, response.json["state"]) == (202, "running")
        assert "force kills it" in response.json["stopping"]["message"]
    [listed] = remote.jobs(state="running")
    assert 300 < listed["stopping"]["seconds"] <= 500
    assert (
        listed["stopping"]["message"] == f"stopping, up to {listed['stopping']['seconds']} s; force kills it"
    )
    assert all(map(is_running, processes))
    patient.touch()
    job = remote.end(job_id)
    assert (job["state"], job["exit_code"], job["message"], job["stopping"]) == ("stopped", 0, "", None)
    assert (job["http_response_code"], job["error"], job["warning"]) == (200, None, None)
    assert "the task ended with 0 after 1 SIGTERM" in remote.output(job_id, stream="stderr")["data"]
    assert not any(map(is_running, processes))
    entries = remote("audit", query_string={"job": job_id}).json["audit"]
    assert {(entry["result"], entry["state"]) for entry in entries} == {("done", "stopped")}


def test_new_supervisor_continues_a_stop(make_remote: Any, patient: Path, cold_state: Path) -> None:
    remote = make_remote()
    job_id, processes = start_patient(remote)
    assert remote.stop(job_id, PREFER="respond-async").status_code == 202
    wait_for(lambda: (cold_state / "jobs" / job_id / "stopping").exists())
    [supervisor] = find_supervisors(cold_state)
    kill(supervisor)
    wait_for(lambda: remote.job(job_id) and find_supervisors(cold_state))
    assert remote.job(job_id)["stopping"] is not None
    assert is_running(processes[0])
    patient.touch()
    job = remote.end(job_id)
    assert (job["state"], job["exit_code"], job["error"]) == ("stopped", 0, None)
    assert "after 1 SIGTERM" in remote.output(job_id, stream="stderr")["data"]
    wait_for(lambda: not any(map(is_running, processes)))


def find_supervisors(state: Path) -> list[int]:
    """Return the cold supervisors of a state directory."""
    return [
        pid for pid in find_processes(state, COLD_SUPERVISOR) if parent_of(pid) == 1 or not is_command(pid)
    ]


def test_force_kills_a_service_that_is_being_stopped(make_remote: Any, patient: Path) -> None:
    remote = make_remote()
    job_id, processes = start_patient(remote)
    assert remote.stop(job_id, PREFER="respond-async").status_code == 202
    response = remote.stop(job_id, query_string={"force": "true"})
    assert (response.status_code, response.json["state"]) == (200, "stopped")
    job = remote.job(job_id)
    assert (job["exit_code"], job["message"], job["http_response_code"]) == (-9, "", 200)
    assert job["warning"] == "the service was killed, and so was what it ran"
    wait_for(lambda: not any(map(is_running, processes)))


def test_service_that_takes_too_long_is_killed(make_remote: Any, patient: Path) -> None:
    remote = make_remote(service_stop_grace=0.5)
    job_id, processes = start_patient(remote)
    remote.stop(job_id, PREFER="respond-async")
    job = remote.end(job_id)
    message = (
        "the service did not end within 0.5 s after SIGTERM and was killed "
        "([rest_api_plugin] service_stop_grace)"
    )
    assert (job["state"], job["exit_code"], job["message"]) == ("stopped", -9, message)
    assert (job["http_response_code"], job["error"]["message"]) == (422, message)
    wait_for(lambda: not any(map(is_running, processes)))
