"""Commands that misbehave, clients that hang up, and more requests than anybody should send at once."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from live.conftest import MAX_QUEUED
from live.harness import Reply, Server, eventually, on_both_versions
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
    listed,
    submit,
    text,
)
from live.processes import forget_peak, living, of_job, peak, session_of

pytestmark = pytest.mark.fault

LIMIT = 16 << 20
"""[rest_api_plugin] max_output_bytes, by default."""

REQUESTS = 500
LOCKED = "database is locked"
"""What Airflow's commands say when sixteen at once want to write to its own SQLite file."""


@on_both_versions
def test_a_command_that_ignores_sigterm(server: Server) -> None:
    job_id = submit(server, "render", **deed("ignores_sigterm", "never"))
    begun(server, job_id)
    reply = server.post(f"jobs/{job_id}/stop", extra={"Prefer": "wait=1"})
    assert (reply.status, reply["state"]) == (202, "running"), reply.text
    found = ended(server, job_id)
    assert (found["state"], found["exit_code"]) == ("stopped", -9), found
    assert text(server, job_id).startswith("begun")
    check_nothing_is_left(server)


@on_both_versions
def test_a_command_with_grandchildren_is_stopped(server: Server) -> None:
    job_id = submit(server, "render", **deed("has_grandchildren", "never"))
    begun(server, job_id)
    eventually("it has processes of its own", lambda: len(of_job(server.home, job_id)) >= 5)
    assert server.post(f"jobs/{job_id}/stop", data={"force": "true"})["state"] == "stopped"
    check_nothing_is_left(server)


@on_both_versions
def test_a_command_with_grandchildren_ends(server: Server) -> None:
    job_id = submit(server, "render", **deed("has_grandchildren", "grandchildren"))
    begun(server, job_id)
    eventually("it has processes of its own", lambda: len(of_job(server.home, job_id)) >= 5)
    go(server, "grandchildren")
    found = ended(server, job_id)
    assert (found["state"], found["exit_code"]) == ("succeeded", 0), found
    check_nothing_is_left(server)


@on_both_versions
def test_a_command_with_a_daemon(server: Server) -> None:
    """That it ends with its command, whether that ends by itself or is stopped."""
    for name, stop in (("a daemon", False), ("a daemon of one that is stopped", True)):
        job_id = submit(server, "render", **deed("starts_a_daemon", name))
        begun(server, job_id)
        daemon = int(text(server, job_id).split()[1])
        assert session_of(daemon) != session_of(job(server, job_id)["pid"])
        if stop:
            assert server.post(f"jobs/{job_id}/stop")["state"] == "stopped"
        else:
            go(server, name)
            assert ended(server, job_id)["state"] == "succeeded"
        eventually("its daemon is gone", lambda: daemon not in living([daemon]))  # noqa: B023 - at once
    check_nothing_is_left(server)


@on_both_versions
def test_a_command_that_prints_a_gigabyte(server: Server) -> None:
    keeper = host(server)
    forget_peak(keeper)
    before = peak(keeper)
    with Request(server, "render", deed("prints_a_gigabyte", "never"), Accept="text/plain") as request:
        worker = request.worker
        forget_peak(worker)
        workers_before = peak(worker)
        got = 0
        while block := request.answer.read(1 << 16):
            got += len(block)
    found = listed(server)[0]
    assert (found["name"], found["state"]) == ("render", "stopped"), found
    assert "max_output_bytes" in found["message"]
    assert got > 0
    assert (folder(server, found["id"]) / "stdout").stat().st_size == found["stdout_bytes"] == LIMIT
    assert len(text(server, found["id"])) == LIMIT
    assert peak(keeper) - before < 8, "MiB more in the host"
    assert peak(worker) - workers_before < 24, "MiB more in the web worker"
    check_nothing_is_left(server)


@on_both_versions
def test_a_command_that_reads_stdin(server: Server) -> None:
    envelope = server.done("render", **deed("reads_stdin", "nothing"))
    assert envelope["stdout"].startswith("read ''\n")


@on_both_versions
def test_a_command_that_segfaults(server: Server) -> None:
    keeper = host(server)
    reply = server.post("render", data=deed("segfaults", "anything"))
    assert (reply.status, reply["exit_code"], reply["job"]["state"]) == (422, -11, "failed"), reply.text
    assert "SIGSEGV" in reply["output"]
    assert reply["stdout"] == "about to fault\n"
    assert host(server) == keeper
    check_nothing_is_left(server)


@on_both_versions
def test_a_client_that_hangs_up_in_a_stream(server: Server) -> None:
    for kind in ("text/plain", "application/x-ndjson"):
        name = f"hangs up {kind[-4:]}"
        with Request(server, "render", deed("waits", name), Accept=kind) as request:
            request.line()
            job_id = listed(server, state="queued,running")[0]["id"]
            begun(server, job_id)
        assert job(server, job_id)["state"] == "running"
        go(server, name)
        found = ended(server, job_id)
        assert (found["state"], found["exit_code"]) == ("succeeded", 0), found
        assert "and done" in text(server, job_id)
    check_nothing_is_left(server)


def test_many_requests_at_once(server: Server) -> None:
    """Of all kinds: that wait or do not, that change something or do not."""
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
    check_nothing_is_left(server, 200)
    ends = {found["id"]: (found["state"], found["message"]) for found in listed(server)}
    bad = [ends[job_id] for job_id in accepted.values() if ends[job_id] != ("succeeded", "")]
    assert [end for end in bad if LOCKED not in end[1]] == []
    assert len(bad) <= len(accepted) // 10, bad
    check_triggers(server, {f"of many {number}": job_id for number, job_id in accepted.items() if number % 2})
