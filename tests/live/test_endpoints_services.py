"""The endpoints that start what runs until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from live.database import rows
from live.harness import Server, eventually, on_both_versions
from live.jobs import ended, listed, text
from live.processes import of_group, of_home, of_job, said


def check_started(server: Server, name: str, works: Callable[[int], Any], **arguments: str) -> None:
    """Start a service, see that it does its work, stop it, and see that it is gone."""
    reply = server.post(name, data=arguments)
    assert (reply.status, reply["status"]) == (202, "OK"), reply.text
    started = reply["job"]
    assert (started["state"], started["kind"]) == ("running", "service")
    pid = started["pid"]
    assert started["id"] in reply["output"]
    assert started["id"] in [found["id"] for found in listed(server, state="running")]
    try:
        assert pid in of_group(pid), f"{name} has ended"  # a session of its own, so a group of its own
        assert pid in of_home(server.home)
        last = [""]

        def working() -> bool:
            last.append(said(pid) or last[-1])
            assert of_group(pid), f"{name} was said to run, and has ended: {last[-1][-2000:]}"
            return bool(works(pid))

        eventually(f"{name} works", working, 90)
    finally:
        server.post(f"jobs/{started['id']}/stop")
        found = ended(server, started["id"])
    assert found["state"] == "stopped", found
    assert of_job(server.home, started["id"]) == []
    assert text(server, started["id"], "stdout") + text(server, started["id"], "stderr") != ""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@on_both_versions
def test_serve_logs(server: Server) -> None:
    check_started(server, "serve_logs", lambda pid: listens(server.ports["worker_log_server"]))


@on_both_versions
def test_scheduler(server: Server) -> None:
    query = "select 1 from job where job_type = 'SchedulerJob' and state = 'running'"
    check_started(server, "scheduler", lambda pid: rows(server, query))


def test_a_scheduler_that_ends_by_itself(server: Server) -> None:
    reply = server.post("scheduler", data={"num_runs": "not a number"})
    assert (reply.status, reply["airflow_cmd"]) == (400, "")


def test_kerberos_says_what_is_wrong(server: Server) -> None:
    # There is no Kerberos here, so that it cannot start.
    reply = server.post("kerberos", data={"principal": "nobody@EXAMPLE"}, extra={"Prefer": "wait=60"})
    assert (reply.status, reply["status"]) == (422, "ERROR"), reply.text
    assert reply["exit_code"] == 1
    assert "\n" not in reply["output"]


@pytest.mark.parametrize("name", ["worker", "workers", "flower"])
def test_celery_needs_a_celery_executor_on_airflow_2(server2: Server, name: str) -> None:
    reply = server2.post(name)
    assert (reply.status, reply["error"]["type"]) == (501, "NotInThisAirflow"), reply.text
    assert "executor" in reply["output"]
    assert "Celery" in reply["output"]


@pytest.mark.parametrize("name", ["worker", "workers"])
def test_a_celery_worker_on_airflow_3(server3: Server, name: str) -> None:
    # There is no broker; a worker goes on trying.
    check_started(server3, name, lambda pid: "Cannot connect" in said(pid), concurrency="1")


def test_flower_on_airflow_3(server3: Server) -> None:
    check_started(server3, "flower", lambda pid: listens(server3.ports["flower"]))


def test_files_of_a_service_are_inside_the_log_folder(server: Server) -> None:
    for name in ("pid", "stdout", "stderr", "log_file"):
        reply = server.post("scheduler", data={name: "../../outside"})
        assert (reply.status, reply["airflow_cmd"]) == (400, "")
        assert f"'{name}'" in reply["output"]
    assert not (server.home.parent / "outside").exists()
