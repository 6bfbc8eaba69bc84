"""What dies, or comes twice: hosts, workers, webservers. Commands go on, and the truth about them is told."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from live.conftest import DAGS
from live.harness import Server, eventually, on_both_versions, running
from live.jobs import (
    ASYNC,
    Request,
    begun,
    check_nothing_is_left,
    check_triggers,
    deed,
    ended,
    folder,
    go,
    host,
    job,
    submit,
    text,
)
from live.processes import commands_of, keepers_of, living, of_job, parent_of

pytestmark = pytest.mark.fault

AT_ONCE = 16
"""[rest_api_plugin] max_running, by default."""


@pytest.fixture(scope="module")
def main_servers(spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
    """Servers of two workers each, instead of those that other tests share.

    By the entry point: a plugin file is placed anew at each start, and a host that is older than it outdated.
    """
    for home in spare_homes.values():
        shutil.copytree(DAGS, home / "dags", dirs_exist_ok=True)
    with running(spare_homes, way="entrypoint", environment={"AIRFLOW__API__WORKERS": "2"}) as servers:
        yield servers


def trigger(server: Server, name: str) -> str:
    """Have hello_remote triggered, once; return the id of the job."""
    return submit(server, "trigger_dag", dag_id="hello_remote", conf=json.dumps({"name": name}))


def check_done(server: Server, job_id: str) -> None:
    """A deed that was let go has come to its end, and all that it printed is there."""
    found = ended(server, job_id)
    assert (found["state"], found["exit_code"]) == ("succeeded", 0), found
    said = text(server, job_id)
    assert said.startswith("begun ")
    assert "and done\n" in said
    assert "rendered" in said


def keeper(server: Server, job_id: str) -> int:
    """The process that looks after a job, or did."""
    return int(json.loads((folder(server, job_id) / "keeper").read_text())["pid"])


def adopters(server: Server) -> set[int]:
    """The supervisors that run."""
    return set(keepers_of(server.home, "supervisor"))


@on_both_versions
def test_the_host_is_killed_with_twenty_commands(server: Server) -> None:
    name = "the host is killed"
    waiting = [submit(server, "render", **deed("waits", name)) for _ in range(AT_ONCE)]
    begun(server, *waiting)
    triggers = {f"{name} {n}": trigger(server, f"{name} {n}") for n in range(4)}
    assert {job(server, job_id)["state"] for job_id in triggers.values()} == {"queued"}
    os.kill(host(server), signal.SIGKILL)
    assert {job(server, job_id)["state"] for job_id in waiting} == {"running"}
    eventually("they are adopted", lambda: {keeper(server, job_id) for job_id in waiting} <= adopters(server))
    later = submit(server, "version")
    eventually("there is another host", lambda: keepers_of(server.home, "host"))
    # As many run as may, also when it is not the host that has them.
    assert job(server, later)["state"] == "queued"
    go(server, name)
    for job_id in waiting:
        check_done(server, job_id)
    for job_id in (*triggers.values(), later):
        assert ended(server, job_id)["state"] == "succeeded"
    check_triggers(server, triggers)
    check_nothing_is_left(server)


@on_both_versions
def test_the_host_is_killed_at_any_moment(server: Server) -> None:
    """Twenty triggers, of which some wait, some begin and some have run."""
    triggers = {}
    for round_ in range(2):
        names = [f"killed at any moment {round_} {n}" for n in range(10)]
        with ThreadPoolExecutor(4) as pool:
            triggers.update(zip(names, pool.map(lambda name: trigger(server, name), names)))
        os.kill(host(server), signal.SIGKILL)
        eventually("the host is gone", lambda: not keepers_of(server.home, "host"))
    # One that was claimed, and had no process yet, is truly lost.
    states = [ended(server, job_id)["state"] for job_id in triggers.values()]
    assert set(states) <= {"succeeded", "lost"}, states
    assert states.count("succeeded") >= 18, states
    check_triggers(server, triggers)
    check_nothing_is_left(server)


@on_both_versions
def test_a_command_is_killed_with_its_host(server: Server) -> None:
    name = "killed with its host"
    job_id = submit(server, "render", **deed("waits", name))
    begun(server, job_id)
    for pid in (host(server), *of_job(server.home, job_id)):
        os.kill(pid, signal.SIGKILL)
    found = ended(server, job_id)
    assert (found["state"], found["exit_code"]) == ("lost", None), found
    assert "lost" in found["message"]
    assert text(server, job_id).startswith("begun")
    check_nothing_is_left(server)


@on_both_versions
def test_a_daemon_ends_with_a_command_whose_host_was_killed(server: Server) -> None:
    names = ("a daemon without a host", "another daemon without a host")
    jobs = [submit(server, "render", **deed("starts_a_daemon", name)) for name in names]
    begun(server, *jobs)
    daemons = [int(text(server, job_id).split()[1]) for job_id in jobs]
    os.kill(host(server), signal.SIGKILL)

    def adopted() -> bool:
        assert {job(server, job_id)["state"] for job_id in jobs} == {"running"}  # who asks sees to it
        return {keeper(server, job_id) for job_id in jobs} <= adopters(server)

    eventually("they are adopted", adopted)
    assert living(daemons) == daemons
    assert server.post(f"jobs/{jobs[0]}/stop", data={"force": "true"})["state"] == "stopped"
    eventually("the daemon of the first is gone", lambda: living(daemons) == daemons[1:])
    go(server, names[1])
    assert ended(server, jobs[1])["state"] == "succeeded"
    eventually("the other daemon is gone", lambda: not living(daemons))
    check_nothing_is_left(server)


@on_both_versions
def test_a_web_worker_is_killed(server: Server) -> None:
    arguments, key = deed("waits", "a worker is killed"), "a worker is killed"
    with Request(server, "render", arguments, Idempotency_Key=key) as request:
        worker = request.worker
        [pid] = eventually("the command runs", lambda: commands_of(server.home))
        os.kill(worker, signal.SIGKILL)
        with pytest.raises((http.client.HTTPException, OSError)):
            request.reply()
    again = server.post("render", data=arguments, extra={**ASYNC, "Idempotency-Key": key})
    assert again.status == 202, again.text
    assert again["job"]["pid"] == pid
    go(server, "a worker is killed")
    check_done(server, again["job"]["id"])
    eventually("there is another worker", lambda: worker not in server.web() and len(server.web()) >= 4)
    check_nothing_is_left(server)


@on_both_versions
def test_the_webserver_is_killed(server: Server) -> None:
    name = "the webserver is killed"
    waiting = [submit(server, "render", **deed("waits", name)) for _ in range(AT_ONCE)]
    begun(server, *waiting)
    triggers = {f"{name} {n}": trigger(server, f"{name} {n}") for n in range(2)}
    with Request(server, "list_tasks", {"dag_id": "hello_remote"}) as request:
        assert request.worker
        server.kill()
        with pytest.raises((http.client.HTTPException, OSError)):
            request.reply()
    assert len(commands_of(server.home)) == AT_ONCE
    server.restart()
    assert {job(server, job_id)["state"] for job_id in waiting} == {"running"}
    go(server, name)
    for job_id in waiting:
        check_done(server, job_id)
    for job_id in triggers.values():
        assert ended(server, job_id)["state"] == "succeeded"
    check_triggers(server, triggers)
    check_nothing_is_left(server)


@on_both_versions
def test_commands_are_warm_while_one_of_a_former_server_runs(server: Server) -> None:
    old = submit(server, "render", **deed("waits", "the former"))
    begun(server, old)
    server.kill()
    servers = server.home / "rest_api" / "host" / "servers"
    eventually("the host has seen it", lambda: not list(servers.iterdir()))
    server.restart()
    new = submit(server, "render", **deed("waits", "the latter"))
    begun(server, new)
    assert parent_of(job(server, new)["pid"]) in keepers_of(server.home, "host")
    go(server, "the former")
    go(server, "the latter")
    check_done(server, old)
    check_done(server, new)
    check_nothing_is_left(server)


@on_both_versions
def test_everything_is_killed_but_the_command(server: Server) -> None:
    name = "everything is killed"
    job_id = submit(server, "render", **deed("waits", name))
    begun(server, job_id)
    keeper = host(server)
    server.kill()
    os.kill(keeper, signal.SIGKILL)
    [pid] = of_job(server.home, job_id)
    server.restart()
    found = job(server, job_id)
    assert (found["state"], found["pid"]) == ("running", pid)
    go(server, name)
    check_done(server, job_id)
    check_nothing_is_left(server)


@on_both_versions
def test_two_webservers_in_one_home(server: Server) -> None:
    other = server.beside()
    try:
        keeper = host(server)  # there is one
        arguments, key = deed("waits", "two webservers"), "two webservers"
        job_id = submit(server, "render", key, **arguments)
        assert submit(other, "render", key, **arguments) == job_id
        begun(server, job_id)
        assert text(other, job_id).startswith("begun")
        to_stop = submit(server, "render", **deed("waits", "never"))
        begun(server, to_stop)
        assert other.post(f"jobs/{to_stop}/stop")["state"] == "stopped"
        others = submit(other, "render", **arguments)
        begun(server, others)
        assert {parent_of(pid) for pid in commands_of(server.home)} == {keeper}
    finally:
        other.end()
    assert job(server, others)["state"] == "running"
    go(server, "two webservers")
    check_done(server, job_id)
    check_done(server, others)
    assert host(server) == keeper
    check_nothing_is_left(server)


@on_both_versions
def test_two_webservers_that_start_at_once_have_one_host(server: Server) -> None:
    server.end()
    eventually("its host is gone", lambda: not keepers_of(server.home, "host"))
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(server.beside)
        server.restart()
        other = beside.result()
    try:
        ids = [submit(one, "render", **deed("waits", "at once")) for one in (server, other, server, other)]
        begun(server, *ids)
        assert {parent_of(job(server, job_id)["pid"]) for job_id in ids} == {host(server)}
        go(server, "at once")
        for job_id in ids:
            check_done(other, job_id)
    finally:
        other.end()
    check_nothing_is_left(server)
