"""Start services over HTTP, run tasks on them, and stop them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from live.concurrency import wait_until
from live.curl import fetch_json
from live.harness import Server
from live.jobs import get_job, list_jobs, read_output, wait_until_ended
from live.processes import processes_of_job
from live.program import run_client

STOPPING_SECONDS = 12
"""Seconds that a test lets a service wait for its tasks: more than a command may take to stop."""

GRACE_SECONDS = 600
"""The default of ``service_stop_grace``."""

STOP_SECONDS = 240.0
"""Seconds within which a service that was told to stop must have ended."""
TRY_AGAIN = 75
"""The exit status of the client if the server cannot run a command yet."""


@dataclass(frozen=True)
class Service:
    """A service that was started as a job.

    :param server: the webserver that started it
    :param name: its command
    :param job_id: the ID of its job
    """

    server: Server
    name: str
    job_id: str

    @property
    def job(self) -> dict[str, Any]:
        """Return the job as it is now."""
        return get_job(self.server, self.job_id)

    def output(self) -> str:
        """Return the output so far."""
        return "".join(read_output(self.server, self.job_id, stream) for stream in ("stdout", "stderr"))

    def wait_until(self, state: str, condition: Callable[[], Any]) -> Any:
        """Wait until a condition is true while the service runs; if it never is, show the output."""

        def still() -> Any:
            job = self.job
            assert job["state"] == "running", f"{self.name} has ended: {job}\n{self.output()[-3000:]}"
            return condition()

        try:
            return wait_until(state, still, interval=0.5)
        except AssertionError as error:
            raise AssertionError(f"{error}\noutput of {self.name}: {self.output()[-3000:]}") from error

    def request_stop(self) -> None:
        """Ask for the end of the service, as an operator does."""
        status, answer = fetch_json(*curl_options(self.server), f"{self.server.api}/jobs/{self.job_id}/stop")
        assert status in (200, 202), answer

    def wait_while_stopping(self) -> None:
        """Wait until a service that was told to stop has been waiting for its tasks for some time."""

        def waits() -> bool:
            stopping = self.job["stopping"]
            return stopping is not None and stopping["seconds"] <= GRACE_SECONDS - STOPPING_SECONDS

        self.wait_until(f"{self.name} waits for its tasks", waits)

    def check_ended(self) -> None:
        """Wait for the end of a service that ends by itself; no process of it may be left."""
        job = wait_until_ended(self.server, self.job_id, STOP_SECONDS)
        assert job["state"] == "succeeded", f"{job}\n{self.output()[-3000:]}"
        assert processes_of_job(self.server.home, self.job_id) == []

    def stop(self) -> None:
        """Stop the service, and check that it has ended as asked."""
        self.request_stop()
        self.check_stopped()

    def stop_by_client(self) -> None:
        """Stop the service with the client, and check that it has ended as asked."""
        done = run_client(self.server, "job", "stop", self.job_id)
        assert done.returncode == 0, done.stderr
        self.check_stopped()

    def check_stopped(self) -> None:
        """Wait for the end of a service that was told to stop; no process of it may be left."""
        job = wait_until_ended(self.server, self.job_id, STOP_SECONDS)
        assert (job["state"], job["error"]) == ("stopped", None), f"{job}\n{self.output()[-3000:]}"
        assert processes_of_job(self.server.home, self.job_id) == []


def curl_options(server: Server) -> list[str]:
    """Return the arguments of curl for a POST request."""
    return ["-X", "POST", *(word for item in server.credentials.items() for word in ("-H", ": ".join(item)))]


def start_by_curl(server: Server, name: str, **arguments: str) -> Service:
    """Start a service of a classic endpoint with curl."""
    data = [word for item in arguments.items() for word in ("--data-urlencode", "=".join(item))]
    status, answer = fetch_json(*curl_options(server), *data, f"{server.api}/{name}")
    assert (status, answer["status"], answer["job"]["kind"]) == (202, "OK", "service"), answer
    return Service(server, name, answer["job"]["id"])


def start_by_client(server: Server, *words: str) -> Service:
    """Start a service with the client."""
    known = {job["id"] for job in list_jobs(server)}
    done = wait_until("the server runs commands", lambda: run_unless_unavailable(server, *words))
    assert done.returncode == 0, done.stderr
    [job] = [job for job in list_jobs(server) if job["id"] not in known and job["kind"] == "service"]
    assert job["id"] in done.stdout + done.stderr
    return Service(server, words[0], job["id"])


def run_unless_unavailable(server: Server, *words: str) -> subprocess.CompletedProcess[str] | None:
    """Run the client; return None if a server that has just started cannot run the command yet."""
    done = run_client(server, *words)
    return None if done.returncode == TRY_AGAIN else done


def trigger(server: Server, dag_id: str, run_id: str) -> None:
    """Trigger a run of a DAG."""
    conf = {"file": str(server.home / f"finish-{run_id}")}
    server.run_command("trigger_dag", dag_id=dag_id, run_id=run_id, conf=json.dumps(conf))


def let_finish(server: Server, run_id: str) -> None:
    """Let the task of a run finish. It waits for this, so that a test needs no luck."""
    (server.home / f"finish-{run_id}").touch()


def states_of_tasks(server: Server, dag_id: str, run_id: str) -> dict[str, str]:
    """Return the state of each task of a run by task ID."""
    key = "execution_date_or_run_id" if server.major == 2 else "logical_date_or_run_id"
    arguments = {"dag_id": dag_id, key: run_id, "output": "json"}
    reply = server.post("commands/tasks/states-for-dag-run", json=arguments)
    assert reply.status == 200, reply.text
    return {row["task_id"]: row["state"] or "" for row in reply["result"]}


def wait_for_tasks(server: Server, dag_id: str, run_id: str, wanted: str, seconds: float = 180) -> None:
    """Wait until all tasks of a run are in a state."""
    last: dict[str, str] = {}

    def reached() -> bool:
        last.update(states_of_tasks(server, dag_id, run_id))
        assert "failed" not in last.values(), last
        return set(last.values()) == {wanted}

    try:
        wait_until(f"the tasks of {run_id} are {wanted}", reached, seconds, interval=0.5)
    except AssertionError as error:
        services = [job for job in list_jobs(server, state="running") if job["kind"] == "service"]
        outputs = [Service(server, job["name"], job["id"]).output()[-3000:] for job in services]
        raise AssertionError("\n".join([f"{error}; they are {last}", *outputs])) from error


def end_services(server: Server) -> None:
    """Kill the services that a failed test has left."""
    for job in list_jobs(server, state="running"):
        if job["kind"] == "service":
            for pid in processes_of_job(server.home, job["id"]):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until_ended(server, job["id"])


def listens(port: int) -> bool:
    """Return whether something listens on a loopback port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
