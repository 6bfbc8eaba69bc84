"""Celery workers and Flower with a real Redis, started over HTTP."""

from __future__ import annotations

from typing import Any

import requests
from live.concurrency import on_both_versions, wait_until
from live.harness import Server

from services.running import (
    Service,
    let_finish,
    start_by_client,
    start_by_curl,
    states_of_tasks,
    trigger,
    wait_for_tasks,
)


def workers_of(server: Server) -> dict[str, set[str]]:
    """Return the queues of each Celery worker by its name, according to its remote control."""
    reply = server.post("commands/celery/list-workers", json={"output": "json"})
    if reply.status != 200:
        assert "No active Celery workers found" in reply.text
        return {}
    return {row["worker_name"]: {name.strip() for name in queues_of(row)} for row in reply["result"]}


def queues_of(row: dict[str, Any]) -> list[str]:
    queues = row["queues"]
    return queues if isinstance(queues, list) else str(queues).strip("[]").replace("'", "").split(",")


def control_worker(server: Server, command: str, name: str, **arguments: str) -> None:
    """Send a command of Celery's remote control to a worker.

    On a busy machine, Airflow may not find the worker: it waits one second for the answers of all workers.
    """

    def found() -> bool:
        reply = server.post(f"commands/celery/{command}", json={"celery_hostname": name, **arguments})
        assert reply.status == 200 or "No active Celery workers" in reply.text or "unknown" in reply.text
        return reply.status == 200

    wait_until(f"{command} finds {name}", found)


def fetch_workers(port: int) -> Any:
    """Return what Flower tells about the workers; None until it answers."""
    try:
        reply = requests.get(f"http://127.0.0.1:{port}/api/workers", params={"refresh": "1"}, timeout=30)
    except requests.ConnectionError:
        return None
    return reply.json() if reply.status_code == 200 else None


def start_worker(server: Server, name: str, concurrency: int, queues: str) -> Service:
    """Start a worker with the client, and wait for it."""
    options = ["--celery-hostname", name, "--concurrency", str(concurrency), "--queues", queues]
    worker = start_by_client(server, "celery", "worker", *options, "--skip-serve-logs")
    worker.wait_until(f"the worker {name} is ready", lambda: name in workers_of(server))
    return worker


def queues_of_one(server: Server) -> set[str]:
    """Return the queues of the first worker; none if it did not answer in time."""
    return workers_of(server).get("one@localhost", set())


@on_both_versions
def test_workers_finish_their_tasks_when_they_stop_and_leave_the_others_in_the_queue(server: Server) -> None:
    scheduler = start_by_curl(server, "scheduler")
    one = start_worker(server, "one@localhost", 1, "tests,other")
    port = server.ports["flower"]
    flower = start_by_client(server, "celery", "flower", "--port", str(port), "--hostname", "127.0.0.1")
    known = flower.wait_until("Flower knows the worker", lambda: fetch_workers(port))
    assert known["one@localhost"]["stats"]["pool"]["max-concurrency"] == 1
    assert {queue["name"] for queue in known["one@localhost"]["active_queues"]} == {"tests", "other"}

    control_worker(server, "add-queue", "one@localhost", queues="more")
    one.wait_until("the queue was added", lambda: "more" in queues_of_one(server))
    control_worker(server, "remove-queue", "one@localhost", queues="more")
    one.wait_until("the queue was removed", lambda: queues_of_one(server) == {"tests", "other"})

    trigger(server, "services_celery", "runs")
    wait_for_tasks(server, "services_celery", "runs", "running")
    trigger(server, "services_celery", "waits")
    let_finish(server, "waits")
    wait_for_tasks(server, "services_celery", "waits", "queued")
    one.request_stop()
    two = start_worker(server, "two@localhost", 2, "tests")
    wait_for_tasks(server, "services_celery", "waits", "success")
    one.wait_while_stopping()
    assert states_of_tasks(server, "services_celery", "runs") == {"work": "running"}
    let_finish(server, "runs")
    one.check_stopped()
    assert states_of_tasks(server, "services_celery", "runs") == {"work": "success"}

    control_worker(server, "shutdown-worker", "two@localhost")
    two.check_ended()
    flower.stop_by_client()
    scheduler.stop()
