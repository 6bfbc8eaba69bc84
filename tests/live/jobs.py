"""Submit jobs, wait for them, and check the files and processes that they leave."""

from __future__ import annotations

import http.client
import json
import signal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from live.concurrency import PATIENCE, wait_until
from live.database import fetch_runs
from live.harness import ANSWER_SECONDS, PREFIX, Reply, Server
from live.processes import holders_of_connection, processes_of_commands, supervisors_of

ASYNC = {"Prefer": "respond-async"}
FINAL = {"succeeded", "failed", "stopped", "timed_out", "lost"}


def probe_arguments(name: str, run_id: str) -> dict[str, str]:
    """Return the arguments of ``render`` for a probe of the DAG live_faults; see :func:`finish_probes`."""
    return {"dag_id": "live_faults", "task_id": name, "run_id": run_id.replace(" ", "_")}


def finish_probes(server: Server, name: str) -> None:
    """Let the probes with this name finish.

    :raises FileExistsError: if the name was used before in this home, where its probes never waited
    """
    folder = server.home / "go"
    folder.mkdir(exist_ok=True)
    (folder / name.replace(" ", "_")).touch(exist_ok=False)


def submit(server: Server, endpoint: str, key: str | None = None, **arguments: str) -> str:
    """Submit a command, and return the ID of its job."""
    extra = ASYNC if key is None else {**ASYNC, "Idempotency-Key": key}
    reply = server.post(endpoint, data=arguments, extra=extra)
    assert reply.status in (200, 202), reply.text
    return str(reply["job"]["id"])


def get_job(server: Server, job_id: str) -> dict[str, Any]:
    """Return the current state of a job."""
    reply = server.get(f"jobs/{job_id}")
    assert reply.status == 200, reply.text
    job: dict[str, Any] = reply.json
    return job


def read_output(server: Server, job_id: str, stream: str = "stdout") -> str:
    """Return everything that a job has printed so far."""
    output, offset = "", 0
    while True:
        reply = server.get(f"jobs/{job_id}/output", stream=stream, offset=offset)
        assert reply.status == 200, reply.text
        output, offset = output + str(reply["data"]), reply["next_offset"]
        if not reply["data"]:
            return output


def wait_until_begun(server: Server, *job_ids: str, seconds: float = PATIENCE) -> None:
    """Wait until probes have begun, according to their files, since the server may not be able to respond."""

    def runs(path: Path) -> bool:
        if b"begun" in (path / "stdout").read_bytes():
            return True
        assert not (path / "exit.json").exists(), (path / "stderr").read_text()[-2000:]
        return False

    for job_id in job_ids:
        wait_until(f"job {job_id} runs", partial(runs, job_folder(server, job_id)), seconds)


def wait_until_ended(server: Server, job_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
    """Wait until a job has ended, and return it."""

    def final() -> dict[str, Any] | None:
        job = get_job(server, job_id)
        return job if job["state"] in FINAL else None

    return wait_until(f"job {job_id} has ended", final, seconds)


def list_jobs(server: Server, **query: str) -> list[dict[str, Any]]:
    """Return the jobs of a server from all pages, newest first."""
    jobs: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    while True:
        reply = server.get("jobs", limit="200", **before, **query)
        assert reply.status == 200, reply.text
        jobs += reply["jobs"]
        if reply["next"] is None:
            return jobs
        before = {"before": reply["next"]}


def job_folder(server: Server, job_id: str) -> Path:
    """Return the folder of a job's files."""
    return server.home / "rest_api" / "jobs" / job_id


def fork_server_pid(server: Server) -> int:
    """Return the process ID of the only fork server."""
    [pid] = wait_until("there is a fork server", lambda: supervisors_of(server.home, "fork_server"))
    return pid


def check_no_leftovers(server: Server, seconds: float = PATIENCE) -> None:
    """Check that every job has ended with its output, and that no process or partial file is left.

    The server must also serve the next request.
    """

    def unfinished() -> list[str]:
        return [job["id"] for job in list_jobs(server, state="queued,running")]

    wait_until("every job has ended", lambda: not unfinished(), seconds)
    jobs = list_jobs(server)
    for job in jobs:
        check_job_files(server, job)
    path = server.home / "rest_api"
    assert {entry.name for entry in (path / "jobs").iterdir()} == {job["id"] for job in jobs}
    wait_until("no command's process is left", lambda: not processes_of_commands(server.home), seconds)
    wait_until("no supervisor is left", lambda: not supervisors_of(server.home, "cold_supervisor"), seconds)
    left = [entry.name for entry in (path / "supervisors").iterdir() if entry.stem.isdecimal()]
    assert left == [], "lock files of supervisors that have ended"
    server.run_command("version")


def is_stopped_service(path: Path, job: dict[str, Any], end: dict[str, Any]) -> bool:
    """Return whether a job is a service that ended as it was told to.

    :param path: its folder
    :param job: its document
    :param end: its exit record
    """
    if job["kind"] != "service" or end["reason"] != "stopped":
        return False
    if end.get("killed"):
        return bool(json.loads((path / "stop").read_text())["force"])
    return end["exit_code"] in (0, -signal.SIGTERM, 128 + signal.SIGTERM, None)


def check_job_files(server: Server, job: dict[str, Any]) -> None:
    """Check that a job's record matches its folder, and that the folder holds no pending work."""
    path = job_folder(server, job["id"])
    end = json.loads((path / "exit.json").read_text())
    assert job["exit_code"] == end["exit_code"], job
    assert (job["state"] == "succeeded") == (end["exit_code"] == 0 and not end["reason"]), job
    assert (job["state"] == "failed") == (end["exit_code"] not in (0, None) and not end["reason"]), job
    succeeded = job["state"] == "succeeded" or is_stopped_service(path, job, end)
    assert (job["message"] == "") == succeeded, job
    for stream in ("stdout", "stderr"):
        assert job[f"{stream}_bytes"] == (path / stream).stat().st_size, job
    names = {entry.name for entry in path.iterdir()}
    assert not names & {"command.json", "claimed.json"}, job
    assert not [name for name in names if name.endswith(".partial")], job


def check_triggers(server: Server, jobs: dict[str, str]) -> None:
    """Check that no trigger ran twice, and that each one reported as succeeded has run.

    :param jobs: ids of jobs of ``trigger_dag`` for hello_remote, by the ``name`` in the run's conf
    """
    triggered = [conf["name"] for conf in fetch_runs(server).values() if conf and "name" in conf]
    for name, job_id in jobs.items():
        state = get_job(server, job_id)["state"]
        assert triggered.count(name) <= 1, f"{name} ran twice; its job is {state}"
        assert triggered.count(name) == 1 or state != "succeeded", f"{name} did not run; its job is {state}"


class OpenRequest:
    """A request whose response is read step by step, or not at all."""

    def __init__(self, server: Server, endpoint: str, arguments: dict[str, str], **headers: str) -> None:
        self.server = server
        host, port = urlsplit(server.url).hostname or "", urlsplit(server.url).port
        self.connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        headers = {**server.credentials, **kind, **names}
        path = f"{PREFIX}/api/v1.0/{endpoint}"
        self.connection.request("POST", path, urlencode(arguments), headers)
        self.port = self.connection.sock.getsockname()[1]
        self._response: http.client.HTTPResponse | None = None

    @property
    def worker(self) -> int:
        """Return the web worker that handles the request while it is pending."""
        return wait_until(
            "a worker has the request", lambda: holders_of_connection(self.server.web_processes(), self.port)
        )[0]

    @property
    def response(self) -> http.client.HTTPResponse:
        """Return the response; only its headers have been read."""
        if self._response is None:
            self._response = self.connection.getresponse()
        return self._response

    def read_line(self) -> str:
        """Read the next line of the response's body."""
        return self.response.readline().decode()

    def read_reply(self) -> Reply:
        """Read the whole response."""
        body = self.response.read().decode()
        return Reply(self.response.status, dict(self.response.headers), body, 0)  # type: ignore[arg-type]

    def hang_up(self) -> None:
        """Close the connection."""
        self.connection.close()
        if self._response is not None:
            self._response.close()

    def __enter__(self) -> OpenRequest:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
