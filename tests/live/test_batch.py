"""Batches on real servers: many commands in one request."""

from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import requests

from live.concurrency import on_both_versions, wait_until
from live.harness import ANSWER_SECONDS, Server
from live.jobs import ASYNC, finish_probes, get_job, probe_arguments, read_output, wait_until_ended
from live.program import run_client

DAGS = ("hello_remote", "live_daily", "live_trouble")


def post_batch(server: Server, commands: list[Any], key: str = "") -> list[dict[str, Any]]:
    """Run a batch, however long it takes, and return its lines."""
    extra = {"Idempotency-Key": key or uuid.uuid4().hex}
    while True:
        reply = server.post("batch", json={"commands": commands}, extra=extra)
        assert reply.status == 200, reply.text
        lines = lines_of(reply.text)
        if lines[-1]["http_response_code"] != 202:
            return lines
        wait_until_ended(server, lines[-1]["job"]["id"], 600)


def lines_of(text: str) -> list[dict[str, Any]]:
    """Return the lines of a batch."""
    return [json.loads(line) for line in text.splitlines()]


def pause(dag_id: str, command: str = "dags pause") -> dict[str, Any]:
    """Return a command about a DAG."""
    return {"command": command, "arguments": {"dag_id": dag_id}}


@on_both_versions
def test_hundreds_of_commands_run_in_order(server: Server) -> None:
    words = ("dags unpause", "dags pause")
    commands = [pause(DAGS[number % 3], words[number // 3 % 2]) for number in range(500)]
    *lines, last = post_batch(server, commands)
    assert [line["index"] for line in lines] == list(range(500))
    assert {line["exit_code"] for line in lines} == {0}
    assert last["result"] == {"commands": 500, "succeeded": 500, "failed": 0, "lost": [], "not_run": 0}
    final = {command["arguments"]["dag_id"]: command["command"] == words[1] for command in commands}
    assert {dag_id: server.is_paused(dag_id) for dag_id in DAGS} == final
    post_batch(server, [pause(dag_id) for dag_id in DAGS])


@on_both_versions
def test_cut_off_batches_tell_what_has_run(server: Server) -> None:
    name = f"batch {server.version} {uuid.uuid4().hex[:8]}"
    probe = {"command": "render", "arguments": probe_arguments("waiter", name)}
    commands = [pause("hello_remote"), probe, pause("live_daily")]
    reply = server.post("batch", json={"commands": commands}, extra=ASYNC)
    assert reply.status == 202, reply.text
    job_id = reply["job"]["id"]

    def second_runs() -> bool:
        return bool(get_job(server, job_id)["result"].get("running") == [1])

    wait_until("the second command runs", second_runs, 120)
    os.kill(get_job(server, job_id)["pid"], signal.SIGKILL)
    job = wait_until_ended(server, job_id)
    assert job["result"] == {"commands": 3, "succeeded": 1, "failed": 0, "lost": [1], "not_run": 1}
    assert "1 of 3 commands have run; commands[1] began and did not end" in job["message"]
    assert [line["index"] for line in lines_of(read_output(server, job_id))] == [0]
    finish_probes(server, name)


@on_both_versions
def test_batch_outlives_its_client(server: Server) -> None:
    key = uuid.uuid4().hex
    commands = [pause(DAGS[number % 3]) for number in range(20)]
    with requests.post(
        f"{server.api}/batch",
        json={"commands": commands},
        headers={**server.credentials, "Idempotency-Key": key},
        stream=True,
        timeout=ANSWER_SECONDS,
    ) as response:
        next(response.iter_lines())
        job_id = response.headers["Location"].rpartition("/")[2]
    job = wait_until_ended(server, job_id)
    assert job["state"] == "succeeded"
    again = post_batch(server, commands, key)
    assert again[-1]["job"]["id"] == job_id
    assert [line["index"] for line in again[:-1]] == list(range(20))


def test_client_runs_a_file(server: Server, tmp_path: Path) -> None:
    path = tmp_path / f"commands-{server.version}"
    path.write_text("dags unpause hello_remote\n# a comment\ndags pause hello_remote\n")
    completed = run_client(server, "batch", str(path), "-o", "json")
    assert completed.returncode == 0, completed.stderr
    assert [line["command"] for line in lines_of(completed.stdout)] == ["dags unpause", "dags pause"]
    path.write_text("dags pause hello_remote\ndags nonsense\n")
    completed = run_client(server, "batch", str(path))
    assert completed.returncode == 2
    assert "line 2" in completed.stderr
