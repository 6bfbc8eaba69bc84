"""A webserver that gets SIGTERM lets its commands finish, and takes no new ones meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from live.concurrency import wait_until
from live.harness import STOP_SECONDS, VERSIONS, Reply, Server, run_servers
from live.jobs import finish_probes, get_job, list_jobs, probe_arguments, read_output, wait_until_begun

FOREVER = "600"
"""Seconds that no test takes."""

WAYS: dict[str, dict[str, Any]] = {
    "plugin": {},
    "gunicorn": {"way": "gunicorn", "environment": {"GUNICORN_CMD_ARGS": "--workers 2"}},
    "several workers": {"environment": {"AIRFLOW__API__WORKERS": "2"}},
}


def drain_seconds(seconds: str, **options: Any) -> dict[str, Any]:
    """Return the options of a server that drains for this time."""
    variables = {"AIRFLOW__REST_API_PLUGIN__DRAIN_SECONDS": seconds}
    return {**options, "environment": {**options.get("environment", {}), **variables}}


def start_probe(server: Server, pool: ThreadPoolExecutor, name: str) -> tuple[str, Future[Reply]]:
    """Start a command that waits for the test, with a client that waits for it; return the job's id."""
    arguments = probe_arguments("waits", name)
    reply = pool.submit(server.post, "render", data=arguments, extra={"Prefer": "wait=100"})

    [job] = wait_until("the command runs", lambda: list_jobs(server, state="running"))
    wait_until_begun(server, job["id"])
    return job["id"], reply


def begin_to_end(server: Server) -> None:
    """Send SIGTERM, and wait until the server drains in all its processes."""
    server.stopped = True
    server.process.send_signal(signal.SIGTERM)

    def is_draining() -> bool:
        replies = [server.request("/api/v1.0/health") for _ in range(10)]
        return all(reply.status == 503 and reply["ready"] is False for reply in replies)

    wait_until("the server drains", is_draining)


def wait_for_orderly_end(server: Server) -> None:
    """Wait until the server has ended, and check by its last messages that nothing killed it."""
    server.process.communicate(timeout=STOP_SECONDS)
    last = server.read_log(10)  # after its workers, a parent process says that it waits and stops
    assert "Finished server process" in last or "Shutting down: Master" in last


def on_servers(homes: dict[str, Path], test: Callable[[Server], None], **options: Any) -> None:
    with run_servers(homes, **options) as servers, ThreadPoolExecutor() as pool:
        for done in [pool.submit(test, server) for server in servers.values()]:
            done.result()


@pytest.mark.parametrize("way", WAYS)
def test_commands_finish_before_the_server_ends(spare_homes: dict[str, Path], way: str) -> None:
    versions = ["3.3"] if way == "several workers" else VERSIONS

    def check(server: Server) -> None:
        name = f"drain-{way}".replace(" ", "-")
        assert server.request("/api/v1.0/health").json == {"status": "healthy", "ready": True}
        with ThreadPoolExecutor() as pool, ExitStack() as stack:
            stack.callback(finish_probes, server, name)
            job_id, answer = start_probe(server, pool, name)
            begin_to_end(server)
            health = server.request("/api/v1.0/health", headers={})
            assert (health.status, health["status"]) == (503, "healthy")
            refused = server.get("list_dags")
            assert (refused.status, refused["error"]["type"]) == (503, "Unavailable"), refused.text
            assert "stopping" in refused["output"]
            assert refused.headers["Retry-After"] == "5"
            assert get_job(server, job_id)["state"] == "running"  # reading goes on
            assert "begun" in read_output(server, job_id)
            assert server.process.poll() is None
            assert not answer.done()
            stack.close()
            reply = answer.result()
        assert (reply.status, reply["job"]["state"]) == (200, "succeeded"), reply.text
        wait_for_orderly_end(server)
        with pytest.raises(requests.ConnectionError):
            server.request("/api/v1.0/health")

    homes = {version: spare_homes[version] for version in versions}
    on_servers(homes, check, **drain_seconds(FOREVER, **WAYS[way]))


def test_a_server_does_not_drain_for_longer_than_it_may(spare_homes: dict[str, Path]) -> None:
    def check(server: Server) -> None:
        with ThreadPoolExecutor() as pool, ExitStack() as stack:
            job_id, answer = start_probe(server, pool, "drain-long")
            stack.callback(finish_probes, server, "drain-long")
            begin_to_end(server)
            reply = answer.result()  # its client does not delay the end either
            wait_for_orderly_end(server)
            assert (reply.status, reply["job"]["id"]) == (202, job_id), reply.text
        server.restart()
        wait_until("the command ends", lambda: get_job(server, job_id)["state"] == "succeeded")

    on_servers(spare_homes, check, **drain_seconds("20"))


def test_an_idle_server_ends_at_once(spare_homes: dict[str, Path]) -> None:
    def check(server: Server) -> None:
        server.stopped = True
        server.process.send_signal(signal.SIGTERM)
        wait_for_orderly_end(server)

    on_servers(spare_homes, check, **drain_seconds(FOREVER))
