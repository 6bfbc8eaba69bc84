"""Live commands on the command line: their requests and their output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract import commands
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.exit_status import ExitStatus
from client.program import Run, call
from client.responses import JOB_ID, envelope, finished_event, job, output_event
from client.responses import STARTED as STARTED
from client.stub import Stub

REQUESTS = [
    ("dags trigger d --conf {} -o json", "dags/trigger", {"dag_id": "d", "conf": "{}", "output": "json"}),
    ("dags list -B a --bundle-name=b", "dags/list", {"bundle_name": ["a", "b"]}),
    ("dags delete d -y", "dags/delete", {"dag_id": "d", "yes": True}),
    ("celery list-workers", "celery/list-workers", {}),
    ("celery list_workers", "celery/list-workers", {}),
    ("variables set k v", "variables/set", {"key": "k", "value": "v"}),
    ("variables list", "variables/list", {}),
    (
        "backfill create --dag-id d --from-date a --to-date b --no-run-on-latest-version",
        "backfill/create",
        {"dag_id": "d", "from_date": "a", "to_date": "b", "run_on_latest_version": False},
    ),
    (
        "roles add-perms r s -a x y -r z",
        "roles/add-perms",
        {"role": ["r", "s"], "action": ["x", "y"], "resource": ["z"]},
    ),
    ("kerberos p --pid", "kerberos", {"principal": "p", "pid": True}),
    ("version", "version", {}),
    ("scheduler --num_runs 3 --daemon", "scheduler", {"num_runs": "3", "daemon": True}),
    ("db shell", "db/shell", {}),
]


@pytest.mark.parametrize(("line", "path", "arguments"), REQUESTS, ids=[line for line, _, _ in REQUESTS])
def test_command_line_sends_one_request(
    run: Run, live: Stub, line: str, path: str, arguments: dict[str, Any]
) -> None:
    completed = run(*line.split())
    assert (completed.status, completed.out, completed.err) == (0, "1.7.0\n", "")
    assert live.request.method == "POST"
    assert live.request.path == f"/admin/rest_api/api/v1.0/commands/{path}"
    assert live.request.arguments == arguments


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(key=TEXT, value=TEXT, description=TEXT)
def test_any_value_arrives_unchanged(shared_stub: Stub, key: str, value: str, description: str) -> None:
    shared_stub.reset()
    shared_stub.catalog = commands()
    line = ["variables", "set", f"--description={description}", "--", key, value]
    completed = call("--url", shared_stub.url, *line)
    if "--" in (key, value, description):
        return
    assert completed.status == 0, completed.err
    assert shared_stub.request.arguments == {"key": key, "value": value, "description": description}


def test_output_is_unchanged_and_exit_code_is_the_exit_status(run: Run, live: Stub) -> None:
    live.stream(
        STARTED,
        output_event("a\r\n"),
        output_event("log\n", "stderr"),
        finished_event(status="ERROR", output="log", stdout="a\r\n", stderr="log\n", exit_code=3),
    )
    completed = run("dags", "list")
    assert (completed.status, completed.stdout, completed.stderr) == (3, b"a\r\n", b"log\n")


def test_service_returns_its_job_at_once(run: Run, live: Stub) -> None:
    running = envelope(output="scheduler runs", stdout=None, exit_code=None, job=job(kind="service"))
    live.respond(running, 202)
    assert run("scheduler", "-D").out == "scheduler runs\n"
    assert run("--detach", "scheduler").out == f"{JOB_ID}\n"
    assert json.loads(run("--json", "scheduler").out) == running


def test_global_options_come_first(run: Run, live: Stub) -> None:
    assert json.loads(run("--json", "dags", "list").out) == envelope()
    completed = run("dags", "list", "--json")
    assert (completed.status, len(live.requests)) == (ExitStatus.USAGE, 1)
    assert "unrecognized arguments: --json" in completed.message()
