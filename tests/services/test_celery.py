"""Celery workers and Flower with a real Redis, started over HTTP."""

from __future__ import annotations

from typing import Any

import requests
from live.concurrency import on_both_versions
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


@on_both_versions
def test_workers_finish_their_tasks_when_they_stop_and_leave_the_others_in_the_queue(server: Server) -> None:
    scheduler = start_by_curl(server, "scheduler")
    one = start_worker(server, "one@localhost", 1, "tests,other")
    port = server.ports["flower"]
    flower = start_by_client(server, "celery", "flower", "--port", str(port), "--hostname", "127.0.0.1")
    known = flower.wait_until("Flower knows the worker", lambda: fetch_workers(port))
    assert known["one@localhost"]["stats"]["pool"]["max-concurrency"] == 1
    assert {queue["name"] for queue in known["one@localhost"]["active_queues"]} == {"tests", "other"}

    server.run_command("commands/celery/add-queue", celery_hostname="one@localhost", queues="more")
    one.wait_until("the queue was added", lambda: "more" in workers_of(server)["one@localhost"])
    server.run_command("commands/celery/remove-queue", celery_hostname="one@localhost", queues="more")
    one.wait_until("the queue was removed", lambda: "more" not in workers_of(server)["one@localhost"])

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

    server.run_command("commands/celery/shutdown-worker", celery_hostname="two@localhost")
    two.check_ended()
    flower.stop_by_client()
    scheduler.stop()
