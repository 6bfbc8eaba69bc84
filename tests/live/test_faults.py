"""Killed and duplicate fork servers, workers and webservers: commands continue, and their state is right."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from live.concurrency import on_both_versions, wait_until
from live.harness import Server, run_servers
from live.jobs import (
    ASYNC,
    OpenRequest,
    check_no_leftovers,
    check_triggers,
    finish_probes,
    fork_server_pid,
    get_job,
    job_folder,
    probe_arguments,
    read_output,
    submit,
    wait_until_begun,
    wait_until_ended,
)
from live.processes import parent_of, processes_of_commands, processes_of_job, select_running, supervisors_of

pytestmark = pytest.mark.fault

AT_ONCE = 16
"""[rest_api_plugin] max_running, by default."""


@pytest.fixture(scope="module")
def main_servers(spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
    """Start servers with two workers each, in place of the shared ones.

    They use the entry point: a plugin file that a start replaces makes an older fork server outdated.
    """
    with run_servers(spare_homes, way="entrypoint", environment={"AIRFLOW__API__WORKERS": "2"}) as servers:
        yield servers


def trigger(server: Server, name: str) -> str:
    """Trigger hello_remote once, and return the ID of the job."""
    return submit(server, "trigger_dag", dag_id="hello_remote", conf=json.dumps({"name": name}))


def check_done(server: Server, job_id: str) -> None:
    """Check that a released probe has ended, and that its output is complete."""
    job = wait_until_ended(server, job_id)
    assert (job["state"], job["exit_code"]) == ("succeeded", 0), job
    output = read_output(server, job_id)
    assert output.startswith("begun ")
    assert "and done\n" in output
    assert "rendered" in output


def supervisor_of(server: Server, job_id: str) -> int:
    """Return the last process that supervised a job."""
    return int(json.loads((job_folder(server, job_id) / "supervisor").read_text())["pid"])


def running_supervisors(server: Server) -> set[int]:
    """Return the running supervisors."""
    return set(supervisors_of(server.home, "cold_supervisor"))


@on_both_versions
def test_the_fork_server_is_killed_with_twenty_commands(server: Server) -> None:
    name = "the host is killed"
    waiting = [submit(server, "render", **probe_arguments("waits", name)) for _ in range(AT_ONCE)]
    wait_until_begun(server, *waiting)
    triggers = {f"{name} {n}": trigger(server, f"{name} {n}") for n in range(4)}
    assert {get_job(server, job_id)["state"] for job_id in triggers.values()} == {"queued"}
    os.kill(fork_server_pid(server), signal.SIGKILL)
    assert {get_job(server, job_id)["state"] for job_id in waiting} == {"running"}
    wait_until(
        "they are adopted",
        lambda: {supervisor_of(server, job_id) for job_id in waiting} <= running_supervisors(server),
    )
    later = submit(server, "version")
    wait_until("there is another fork server", lambda: supervisors_of(server.home, "fork_server"))
    # The limit also holds for commands that the fork server did not start.
    assert get_job(server, later)["state"] == "queued"
    finish_probes(server, name)
    for job_id in waiting:
        check_done(server, job_id)
    for job_id in (*triggers.values(), later):
        assert wait_until_ended(server, job_id)["state"] == "succeeded"
    check_triggers(server, triggers)
    check_no_leftovers(server)


@on_both_versions
def test_the_fork_server_is_killed_at_any_moment(server: Server) -> None:
    """Of twenty triggers, some are queued, some are starting and some have run."""
    triggers: dict[str, str] = {}
    for round_ in range(2):
        names = [f"killed at any moment {round_} {n}" for n in range(10)]
        with ThreadPoolExecutor(4) as pool:
            triggers.update(zip(names, pool.map(lambda name: trigger(server, name), names)))
        os.kill(fork_server_pid(server), signal.SIGKILL)
        wait_until("the fork server has ended", lambda: not supervisors_of(server.home, "fork_server"))
    # A command that was claimed but had no process yet is lost.
    states = [wait_until_ended(server, job_id)["state"] for job_id in triggers.values()]
    assert set(states) <= {"succeeded", "lost"}, states
    assert states.count("succeeded") >= 18, states
    check_triggers(server, triggers)
    check_no_leftovers(server)


@on_both_versions
def test_a_command_is_killed_with_its_fork_server(server: Server) -> None:
    name = "killed with its host"
    job_id = submit(server, "render", **probe_arguments("waits", name))
    wait_until_begun(server, job_id)
    for pid in (fork_server_pid(server), *processes_of_job(server.home, job_id)):
        os.kill(pid, signal.SIGKILL)
    job = wait_until_ended(server, job_id)
    assert (job["state"], job["exit_code"]) == ("lost", None), job
    assert "lost" in job["message"]
    assert read_output(server, job_id).startswith("begun")
    check_no_leftovers(server)


@on_both_versions
def test_a_daemon_ends_with_its_command_after_the_fork_server_was_killed(server: Server) -> None:
    names = ("a daemon without a host", "another daemon without a host")
    jobs = [submit(server, "render", **probe_arguments("starts_a_daemon", name)) for name in names]
    wait_until_begun(server, *jobs)
    daemons = [int(read_output(server, job_id).split()[1]) for job_id in jobs]
    os.kill(fork_server_pid(server), signal.SIGKILL)

    def adopted() -> bool:
        assert {get_job(server, job_id)["state"] for job_id in jobs} == {
            "running"
        }  # a request for a job makes a supervisor adopt it
        return {supervisor_of(server, job_id) for job_id in jobs} <= running_supervisors(server)

    wait_until("they are adopted", adopted)
    assert select_running(daemons) == daemons
    assert server.post(f"jobs/{jobs[0]}/stop", data={"force": "true"})["state"] == "stopped"
    wait_until("the daemon of the first is gone", lambda: select_running(daemons) == daemons[1:])
    finish_probes(server, names[1])
    assert wait_until_ended(server, jobs[1])["state"] == "succeeded"
    wait_until("the other daemon is gone", lambda: not select_running(daemons))
    check_no_leftovers(server)


@on_both_versions
def test_a_web_worker_is_killed(server: Server) -> None:
    arguments, key = probe_arguments("waits", "a worker is killed"), "a worker is killed"
    with OpenRequest(server, "render", arguments, Idempotency_Key=key) as request:
        worker = request.worker
        [pid] = wait_until("the command runs", lambda: processes_of_commands(server.home))
        os.kill(worker, signal.SIGKILL)
        with pytest.raises((http.client.HTTPException, OSError)):
            request.read_reply()
    again = server.post("render", data=arguments, extra={**ASYNC, "Idempotency-Key": key})
    assert again.status == 202, again.text
    assert again["job"]["pid"] == pid
    finish_probes(server, "a worker is killed")
    check_done(server, again["job"]["id"])
    wait_until(
        "there is another worker",
        lambda: worker not in server.web_processes() and len(server.web_processes()) >= 4,
    )
    check_no_leftovers(server)


@on_both_versions
def test_the_webserver_is_killed(server: Server) -> None:
    name = "the webserver is killed"
    waiting = [submit(server, "render", **probe_arguments("waits", name)) for _ in range(AT_ONCE)]
    wait_until_begun(server, *waiting)
    triggers = {f"{name} {n}": trigger(server, f"{name} {n}") for n in range(2)}
    with OpenRequest(server, "list_tasks", {"dag_id": "hello_remote"}) as request:
        assert request.worker
        server.kill()
        with pytest.raises((http.client.HTTPException, OSError)):
            request.read_reply()
    assert len(processes_of_commands(server.home)) == AT_ONCE
    server.restart()
    assert {get_job(server, job_id)["state"] for job_id in waiting} == {"running"}
    finish_probes(server, name)
    for job_id in waiting:
        check_done(server, job_id)
    for job_id in triggers.values():
        assert wait_until_ended(server, job_id)["state"] == "succeeded"
    check_triggers(server, triggers)
    check_no_leftovers(server)


@on_both_versions
def test_commands_are_warm_while_a_former_servers_command_runs(server: Server) -> None:
    old = submit(server, "render", **probe_arguments("waits", "the former"))
    wait_until_begun(server, old)
    server.kill()
    servers = server.home / "rest_api" / "host" / "servers"
    wait_until("the fork server has noticed it", lambda: not list(servers.iterdir()))
    server.restart()
    new = submit(server, "render", **probe_arguments("waits", "the latter"))
    wait_until_begun(server, new)
    assert parent_of(get_job(server, new)["pid"]) in supervisors_of(server.home, "fork_server")
    finish_probes(server, "the former")
    finish_probes(server, "the latter")
    check_done(server, old)
    check_done(server, new)
    check_no_leftovers(server)


@on_both_versions
def test_everything_is_killed_but_the_command(server: Server) -> None:
    name = "everything is killed"
    job_id = submit(server, "render", **probe_arguments("waits", name))
    wait_until_begun(server, job_id)
    fork_server = fork_server_pid(server)
    server.kill()
    os.kill(fork_server, signal.SIGKILL)
    [pid] = processes_of_job(server.home, job_id)
    server.restart()
    job = get_job(server, job_id)
    assert (job["state"], job["pid"]) == ("running", pid)
    finish_probes(server, name)
    check_done(server, job_id)
    check_no_leftovers(server)


@on_both_versions
def test_two_webservers_in_one_home(server: Server) -> None:
    other = server.start_beside()
    try:
        fork_server = fork_server_pid(server)
        arguments, key = probe_arguments("waits", "two webservers"), "two webservers"
        job_id = submit(server, "render", key, **arguments)
        assert submit(other, "render", key, **arguments) == job_id
        wait_until_begun(server, job_id)
        assert read_output(other, job_id).startswith("begun")
        to_stop = submit(server, "render", **probe_arguments("waits", "never"))
        wait_until_begun(server, to_stop)
        assert other.post(f"jobs/{to_stop}/stop")["state"] == "stopped"
        others = submit(other, "render", **arguments)
        wait_until_begun(server, others)
        assert {parent_of(pid) for pid in processes_of_commands(server.home)} == {fork_server}
    finally:
        other.end()
    assert get_job(server, others)["state"] == "running"
    finish_probes(server, "two webservers")
    check_done(server, job_id)
    check_done(server, others)
    assert fork_server_pid(server) == fork_server
    check_no_leftovers(server)


@on_both_versions
def test_two_webservers_that_start_at_once_share_a_fork_server(server: Server) -> None:
    server.end()
    wait_until("its fork server has ended", lambda: not supervisors_of(server.home, "fork_server"))
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(server.start_beside)
        server.restart()
        other = beside.result()
    try:
        ids = [
            submit(one, "render", **probe_arguments("waits", "at once"))
            for one in (server, other, server, other)
        ]
        wait_until_begun(server, *ids)
        assert {parent_of(get_job(server, job_id)["pid"]) for job_id in ids} == {fork_server_pid(server)}
        finish_probes(server, "at once")
        for job_id in ids:
            check_done(other, job_id)
    finally:
        other.end()
    check_no_leftovers(server)
