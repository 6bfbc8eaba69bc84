"""A scheduler with the LocalExecutor, a DAG processor and a triggerer, started over HTTP."""

from __future__ import annotations

from live.concurrency import on_both_versions
from live.harness import Server
from live.jobs import list_jobs
from live.program import run_client

from services.running import (
    let_finish,
    start_by_client,
    start_by_curl,
    states_of_tasks,
    trigger,
    wait_for_tasks,
)


def running_services(server: Server) -> dict[str, int]:
    """Return the process ID of each service that runs by the ID of its job."""
    jobs = list_jobs(server, state="running")
    return {job["id"]: job["pid"] for job in jobs if job["kind"] == "service"}


@on_both_versions
def test_services_run_tasks_survive_the_webserver_and_let_tasks_finish_when_they_stop(server: Server) -> None:
    scheduler = start_by_curl(server, "scheduler")
    others = [start_by_client(server, name) for name in ("dag-processor", "triggerer")]
    started = {service.job_id: service.job["pid"] for service in (scheduler, *others)}
    assert running_services(server) == started
    listed = run_client(server, "job", "list", "--state", "running")
    assert listed.returncode == 0, listed.stderr
    assert all(job_id in listed.stdout for job_id in started), listed.stdout
    trigger(server, "services_short", "first")
    wait_for_tasks(server, "services_short", "first", "success")

    server.end()
    server.restart()
    assert running_services(server) == started
    trigger(server, "services_short", "second")
    wait_for_tasks(server, "services_short", "second", "success")

    trigger(server, "services_local", "long")
    wait_for_tasks(server, "services_local", "long", "running")
    scheduler.request_stop()
    scheduler.wait_while_stopping()
    assert states_of_tasks(server, "services_local", "long") == {"work": "running"}
    let_finish(server, "long")
    scheduler.check_stopped()
    assert states_of_tasks(server, "services_local", "long") == {"work": "success"}
    for service in others:
        service.stop_by_client()
    assert running_services(server) == {}
