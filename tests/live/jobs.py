"""Jobs, as the tests ask for them, steer them, and look at what is left of them."""

from __future__ import annotations

import http.client
import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from live.database import runs
from live.harness import ANSWER_SECONDS, PREFIX, Reply, Server, eventually
from live.processes import commands_of, keepers_of, with_connection

ASYNC = {"Prefer": "respond-async"}
FINAL = {"succeeded", "failed", "stopped", "timed_out", "lost"}


def deed(name: str, run_id: str) -> dict[str, str]:
    """The arguments of ``render`` for a deed of the DAG live_faults, which the test lets go on by ``go``."""
    return {"dag_id": "live_faults", "task_id": name, "run_id": run_id.replace(" ", "_")}


def go(server: Server, name: str) -> None:
    """Let the deeds of this name come to their end."""
    folder = server.home / "go"
    folder.mkdir(exist_ok=True)
    (folder / name.replace(" ", "_")).touch()


def submit(server: Server, endpoint: str, key: str | None = None, **arguments: str) -> str:
    """Have a command run; return the id of its job."""
    extra = ASYNC if key is None else {**ASYNC, "Idempotency-Key": key}
    reply = server.post(endpoint, data=arguments, extra=extra)
    assert reply.status in (200, 202), reply.text
    return str(reply["job"]["id"])


def job(server: Server, job_id: str) -> dict[str, Any]:
    """A job as it is now."""
    reply = server.get(f"jobs/{job_id}")
    assert reply.status == 200, reply.text
    found: dict[str, Any] = reply.json
    return found


def text(server: Server, job_id: str, stream: str = "stdout") -> str:
    """All that a job has printed so far."""
    said, offset = "", 0
    while True:
        reply = server.get(f"jobs/{job_id}/output", stream=stream, offset=offset)
        assert reply.status == 200, reply.text
        said, offset = said + reply["data"], reply["next_offset"]
        if not reply["data"]:
            return said


def begun(server: Server, *job_ids: str, seconds: float = 60) -> None:
    """Wait until deeds have begun. By their files, to find them also when the server cannot answer."""

    def runs(path: Path) -> bool:
        if b"begun" in (path / "stdout").read_bytes():
            return True
        assert not (path / "exit.json").exists(), (path / "stderr").read_text()[-2000:]
        return False

    for job_id in job_ids:
        eventually(f"job {job_id} runs", partial(runs, folder(server, job_id)), seconds)


def ended(server: Server, job_id: str, seconds: float = 60) -> dict[str, Any]:
    """Wait until a job has ended, and return it."""

    def final() -> dict[str, Any] | None:
        found = job(server, job_id)
        return found if found["state"] in FINAL else None

    return eventually(f"job {job_id} has ended", final, seconds) or {}


def listed(server: Server, **query: str) -> list[dict[str, Any]]:
    """The jobs of a server, all pages, newest first."""
    found: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    while True:
        reply = server.get("jobs", limit="200", **before, **query)
        assert reply.status == 200, reply.text
        found += reply["jobs"]
        if reply["next"] is None:
            return found
        before = {"before": reply["next"]}


def folder(server: Server, job_id: str) -> Path:
    """Where a job's files are."""
    return server.home / "rest_api" / "jobs" / job_id


def host(server: Server) -> int:
    """The process of the only warm host."""
    [pid] = eventually("there is a host", lambda: keepers_of(server.home, "host"))
    return pid


def check_nothing_is_left(server: Server, seconds: float = 60) -> None:
    """Every job has truly ended, its output is there, and nothing else is: no process, no half-done file.

    And the next request is served.
    """

    def unfinished() -> list[str]:
        return [found["id"] for found in listed(server, state="queued,running")]

    eventually("every job has ended", lambda: not unfinished(), seconds)
    jobs = listed(server)
    for found in jobs:
        check_end(server, found)
    path = server.home / "rest_api"
    assert {entry.name for entry in (path / "jobs").iterdir()} == {found["id"] for found in jobs}
    eventually("no command's process is left", lambda: not commands_of(server.home), seconds)
    eventually("no supervisor is left", lambda: not keepers_of(server.home, "supervisor"), seconds)
    left = [entry.name for entry in (path / "keepers").iterdir() if entry.stem.isdecimal()]
    assert left == [], "lock files of supervisors that are no more"
    server.done("version")


def check_end(server: Server, found: dict[str, Any]) -> None:
    """A job's row and its folder say the same, and the folder holds nothing that was to be done."""
    path = folder(server, found["id"])
    end = json.loads((path / "exit.json").read_text())
    assert found["exit_code"] == end["exit_code"], found
    assert (found["state"] == "succeeded") == (end["exit_code"] == 0 and not end["reason"]), found
    assert (found["state"] == "failed") == (end["exit_code"] not in (0, None) and not end["reason"]), found
    assert (found["message"] == "") == (found["state"] == "succeeded"), found
    for stream in ("stdout", "stderr"):
        assert found[f"{stream}_bytes"] == (path / stream).stat().st_size, found
    names = {entry.name for entry in path.iterdir()}
    assert not names & {"command.json", "claimed.json"}, found
    assert not [name for name in names if name.endswith(".partial")], found


def check_triggers(server: Server, jobs: dict[str, str]) -> None:
    """No trigger ran twice, and each that is said to have succeeded ran.

    :param jobs: ids of jobs of ``trigger_dag`` for hello_remote, by the ``name`` in the run's conf
    """
    made = [conf["name"] for conf in runs(server).values() if conf and "name" in conf]
    for name, job_id in jobs.items():
        state = job(server, job_id)["state"]
        assert made.count(name) <= 1, f"{name} ran twice; its job is {state}"
        assert made.count(name) == 1 or state != "succeeded", f"{name} did not run; its job is {state}"


class Request:
    """A request whose answer is read bit by bit, or never."""

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
        self._answer: http.client.HTTPResponse | None = None

    @property
    def worker(self) -> int:
        """The web worker that has it, while it is not answered yet."""
        return eventually("a worker has the request", lambda: with_connection(self.server.web(), self.port))[
            0
        ]

    @property
    def answer(self) -> http.client.HTTPResponse:
        """The answer, from its headers on."""
        if self._answer is None:
            self._answer = self.connection.getresponse()
        return self._answer

    def line(self) -> str:
        """The next line of the answer's body."""
        return self.answer.readline().decode()

    def reply(self) -> Reply:
        """The whole answer."""
        body = self.answer.read().decode()
        return Reply(self.answer.status, dict(self.answer.headers), body, 0)  # type: ignore[arg-type]

    def hang_up(self) -> None:
        """Be gone."""
        self.connection.close()
        if self._answer is not None:
            self._answer.close()

    def __enter__(self) -> Request:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
