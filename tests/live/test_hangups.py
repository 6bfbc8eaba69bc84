"""Clients that wait for commands, and that hang up, leave the webserver able to answer others."""

from __future__ import annotations

import time
from contextlib import ExitStack

from live.concurrency import on_both_versions, wait_until
from live.harness import Server
from live.jobs import (
    OpenRequest,
    finish_probes,
    list_jobs,
    probe_arguments,
    wait_until_begun,
    wait_until_ended,
)

CLIENTS = {2: 6, 3: 40}
"""More clients than the webserver has workers (Airflow 2) or threads (Airflow 3)."""

WAIT = 100
"""Seconds that each client asks to wait. Without a free worker, nothing else is answered for so long."""

SOON = 20.0
"""The maximum time, in seconds, of a response on a busy machine."""


@on_both_versions
def test_webserver_answers_while_clients_wait_and_when_they_have_hung_up(server: Server) -> None:
    name = "hang up"
    known = {job["id"] for job in list_jobs(server)}

    def jobs_of(count: int) -> list[str]:
        """Return the new jobs if there are so many of them."""
        new = [job["id"] for job in list_jobs(server) if job["id"] not in known]
        return new if len(new) == count else []

    with ExitStack() as stack:
        begun = time.monotonic()
        clients = [
            stack.enter_context(
                OpenRequest(server, "render", probe_arguments("waits", name), Prefer=f"wait={WAIT}")
            )
            for _ in range(CLIENTS[server.major])
        ]
        # The list of jobs is itself answered meanwhile.
        jobs = wait_until("every request has its job", lambda: jobs_of(len(clients)), WAIT - 10)
        assert server.get("health").seconds < SOON
        stopped = jobs.pop()
        wait_until_begun(server, stopped)
        assert server.post(f"jobs/{stopped}/stop").status in (200, 202)
        assert wait_until_ended(server, stopped)["state"] == "stopped"
        assert time.monotonic() < begun + WAIT, "the clients still wait"
    # All have hung up.
    assert server.get("health").seconds < SOON
    one = server.get(f"jobs/{jobs[0]}")
    assert (one.status, one["state"] in ("queued", "running")) == (200, True), one.text
    finish_probes(server, name)
    for job_id in jobs:
        assert wait_until_ended(server, job_id)["state"] == "succeeded"
