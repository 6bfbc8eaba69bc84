"""Misbehaving commands, disconnecting clients, and too many requests at once."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from live.concurrency import on_both_versions, wait_until
from live.conftest import MAX_QUEUED
from live.harness import Reply, Server
from live.jobs import (
    ASYNC,
    OpenRequest,
    check_no_leftovers,
    check_triggers,
    finish_probes,
    fork_server_pid,
    get_job,
    job_folder,
    list_jobs,
    probe_arguments,
    read_output,
    submit,
    wait_until_begun,
    wait_until_ended,
)
from live.processes import peak_memory, processes_of_job, reset_peak_memory, select_running, session_of

pytestmark = pytest.mark.fault

LIMIT = 16 << 20
"""[rest_api_plugin] max_output_bytes, by default."""

REQUESTS = 500
LOCKED = "database is locked"
"""The error of Airflow's commands when sixteen of them write to its SQLite file at once."""


@on_both_versions
def test_a_command_that_ignores_sigterm(server: Server) -> None:
    job_id = submit(server, "render", **probe_arguments("ignores_sigterm", "never"))
    wait_until_begun(server, job_id)
    reply = server.post(f"jobs/{job_id}/stop", extra={"Prefer": "wait=1"})
    assert (reply.status, reply["state"]) == (202, "running"), reply.text
    job = wait_until_ended(server, job_id)
    assert (job["state"], job["exit_code"]) == ("stopped", -9), job
    assert read_output(server, job_id).startswith("begun")
    check_no_leftovers(server)


@on_both_versions
def test_a_command_with_grandchildren_is_stopped(server: Server) -> None:
    job_id = submit(server, "render", **probe_arguments("has_grandchildren", "never"))
    wait_until_begun(server, job_id)
    wait_until("it has processes of its own", lambda: len(processes_of_job(server.home, job_id)) >= 5)
    assert server.post(f"jobs/{job_id}/stop", data={"force": "true"})["state"] == "stopped"
    check_no_leftovers(server)


@on_both_versions
def test_a_command_with_grandchildren_ends(server: Server) -> None:
    job_id = submit(server, "render", **probe_arguments("has_grandchildren", "grandchildren"))
    wait_until_begun(server, job_id)
    wait_until("it has processes of its own", lambda: len(processes_of_job(server.home, job_id)) >= 5)
    finish_probes(server, "grandchildren")
    job = wait_until_ended(server, job_id)
    assert (job["state"], job["exit_code"]) == ("succeeded", 0), job
    check_no_leftovers(server)


@on_both_versions
def test_a_daemon_ends_with_its_command(server: Server) -> None:
    """A daemon ends whether its command ends or is stopped."""
    for name, stop in (("a daemon", False), ("a daemon of one that is stopped", True)):
        job_id = submit(server, "render", **probe_arguments("starts_a_daemon", name))
        wait_until_begun(server, job_id)
        daemon = int(read_output(server, job_id).split()[1])
        assert session_of(daemon) != session_of(get_job(server, job_id)["pid"])
        if stop:
            assert server.post(f"jobs/{job_id}/stop")["state"] == "stopped"
        else:
            finish_probes(server, name)
            assert wait_until_ended(server, job_id)["state"] == "succeeded"
        wait_until("its daemon is gone", lambda: daemon not in select_running([daemon]))  # noqa: B023 - called at once
    check_no_leftovers(server)


@on_both_versions
def test_a_command_that_prints_a_gigabyte(server: Server) -> None:
    fork_server = fork_server_pid(server)
    reset_peak_memory(fork_server)
    before = peak_memory(fork_server)
    with OpenRequest(
        server, "render", probe_arguments("prints_a_gigabyte", "never"), Accept="text/plain"
    ) as request:
        worker = request.worker
        reset_peak_memory(worker)
        workers_before = peak_memory(worker)
        got = 0
        while block := request.response.read(1 << 16):
            got += len(block)
    job = list_jobs(server)[0]
    assert (job["name"], job["state"]) == ("render", "stopped"), job
    assert "max_output_bytes" in job["message"]
    assert got > 0
    assert (job_folder(server, job["id"]) / "stdout").stat().st_size == job["stdout_bytes"] == LIMIT
    assert len(read_output(server, job["id"])) == LIMIT
    assert peak_memory(fork_server) - before < 8, "MiB more in the fork server"
    # The gigabyte must not pass through memory. A worker that has served many requests also has a fragmented
    # heap, so it may hold up to twice what is kept of the output.
    assert peak_memory(worker) - workers_before < 2 * LIMIT >> 20, "MiB more in the web worker"
    check_no_leftovers(server)


@on_both_versions
def test_a_command_that_reads_stdin(server: Server) -> None:
    envelope = server.run_command("render", **probe_arguments("reads_stdin", "nothing"))
    assert envelope["stdout"].startswith("read ''\n")


@on_both_versions
def test_a_command_that_segfaults(server: Server) -> None:
    fork_server = fork_server_pid(server)
    reply = server.post("render", data=probe_arguments("segfaults", "anything"))
    assert (reply.status, reply["exit_code"], reply["job"]["state"]) == (422, -11, "failed"), reply.text
    assert "SIGSEGV" in reply["output"]
    assert reply["stdout"] == "about to fault\n"
    assert fork_server_pid(server) == fork_server
    check_no_leftovers(server)


@on_both_versions
def test_a_client_disconnects_during_a_stream(server: Server) -> None:
    for kind in ("text/plain", "application/x-ndjson"):
        name = f"hangs up {kind[-4:]}"
        with OpenRequest(server, "render", probe_arguments("waits", name), Accept=kind) as request:
            request.read_line()
            job_id = list_jobs(server, state="queued,running")[0]["id"]
            wait_until_begun(server, job_id)
        assert get_job(server, job_id)["state"] == "running"
        finish_probes(server, name)
        job = wait_until_ended(server, job_id)
        assert (job["state"], job["exit_code"]) == ("succeeded", 0), job
        assert "and done" in read_output(server, job_id)
    check_no_leftovers(server)


def test_many_requests_at_once(server: Server) -> None:
    """Send requests that wait or do not, and that modify data or do not."""
    barrier = Barrier(REQUESTS)

    def ask(number: int) -> Reply:
        barrier.wait()
        how: dict[str, Any] = {"timeout": 280, "extra": {} if number % 5 == 0 else ASYNC}
        if number % 2:
            conf = json.dumps({"name": f"of many {number}"})
            return server.post("trigger_dag", data={"dag_id": "hello_remote", "conf": conf}, **how)
        return server.post("list_tasks", data={"dag_id": "hello_remote"}, **how)

    with ThreadPoolExecutor(REQUESTS) as pool:
        replies = list(pool.map(ask, range(REQUESTS)))
    statuses = Counter(
        reply.status for reply in replies if not (reply.status == 422 and LOCKED in reply["output"])
    )
    assert set(statuses) <= {200, 202, 429}, statuses
    assert statuses[202] + statuses[200] >= MAX_QUEUED, statuses
    for reply in replies:
        if reply.status == 429:
            assert int(reply.headers["Retry-After"]) > 0
            assert "max_queued" in reply["output"]
    accepted = {number: reply["job"]["id"] for number, reply in enumerate(replies) if reply.status != 429}
    assert len(set(accepted.values())) == len(accepted)
    check_no_leftovers(server, 200)
    ends = {job["id"]: (job["state"], job["message"]) for job in list_jobs(server)}
    bad = [ends[job_id] for job_id in accepted.values() if ends[job_id] != ("succeeded", "")]
    assert [end for end in bad if LOCKED not in end[1]] == []
    assert len(bad) <= len(accepted) // 10, bad
    check_triggers(server, {f"of many {number}": job_id for number, job_id in accepted.items() if number % 2})
