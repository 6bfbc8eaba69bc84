"""The endpoints that start services."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from live.concurrency import on_both_versions, wait_until
from live.database import fetch_rows
from live.harness import Server
from live.jobs import list_jobs, read_output, wait_until_ended
from live.processes import processes_of_group, processes_of_home, processes_of_job, read_output_files


def check_service(server: Server, name: str, works: Callable[[int], Any], **arguments: str) -> None:
    """Start a service, check that it works, stop it, and check that it has ended."""
    reply = server.post(name, data=arguments)
    assert (reply.status, reply["status"]) == (202, "OK"), reply.text
    started = reply["job"]
    assert (started["state"], started["kind"]) == ("running", "service")
    pid = started["pid"]
    assert started["id"] in reply["output"]
    assert started["id"] in [job["id"] for job in list_jobs(server, state="running")]
    try:
        assert pid in processes_of_group(pid), (
            f"{name} has ended"
        )  # it has its own session, and so its own group
        assert pid in processes_of_home(server.home)
        last = [""]

        def working() -> bool:
            last.append(read_output_files(pid) or last[-1])
            assert processes_of_group(pid), f"{name} was said to run, and has ended: {last[-1][-2000:]}"
            return bool(works(pid))

        wait_until(f"{name} works", working)
    finally:
        server.post(f"jobs/{started['id']}/stop")
        job = wait_until_ended(server, started["id"])
    assert job["state"] == "stopped", job
    assert processes_of_job(server.home, started["id"]) == []
    assert read_output(server, started["id"], "stdout") + read_output(server, started["id"], "stderr") != ""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@on_both_versions
def test_serve_logs(server: Server) -> None:
    check_service(server, "serve_logs", lambda pid: listens(server.ports["worker_log_server"]))


@on_both_versions
def test_scheduler(server: Server) -> None:
    query = "select 1 from job where job_type = 'SchedulerJob' and state = 'running'"

    begun = "orphaned tasks for active dag runs"

    def works(pid: int) -> bool:
        # While it starts its LocalExecutor, SIGTERM can make the scheduler of Airflow 3.3 hang.
        return bool(fetch_rows(server, query)) and begun in read_output_files(pid)

    check_service(server, "scheduler", works)


def test_a_scheduler_rejects_a_bad_argument(server: Server) -> None:
    reply = server.post("scheduler", data={"num_runs": "not a number"})
    assert (reply.status, reply["airflow_cmd"]) == (400, "")


def test_kerberos_reports_why_it_cannot_start(server: Server) -> None:
    # Without Kerberos on this machine, it cannot start.
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
    # Without a broker, the worker keeps trying to connect.
    check_service(server3, name, lambda pid: "Cannot connect" in read_output_files(pid), concurrency="1")


def test_flower_on_airflow_3(server3: Server) -> None:
    check_service(server3, "flower", lambda pid: listens(server3.ports["flower"]))


def test_files_of_a_service_are_inside_the_log_folder(server: Server) -> None:
    for name in ("pid", "stdout", "stderr", "log_file"):
        reply = server.post("scheduler", data={name: "../../outside"})
        assert (reply.status, reply["airflow_cmd"]) == (400, "")
        assert f"'{name}'" in reply["output"]
    assert not (server.home.parent / "outside").exists()
