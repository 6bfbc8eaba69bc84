"""``--detach`` and the commands of the group ``job``."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_remote.exit_status import ExitStatus
from client.program import Run, call
from client.responses import JOB_ID, envelope, job, json_response
from client.stub import FakeJob, Stub
from client.terminal import run_in_terminal

RUNS = envelope(output="version runs", stdout=None, stderr=None, exit_code=None, job=job())
FAILED = {"state": "failed", "exit_code": 3, "message": "because"}


# ``--detach``.


def test_detach_prints_only_the_job_id(run: Run, stub: Stub) -> None:
    stub.respond(RUNS, 202)
    completed = run("--detach", "version")
    assert (completed.status, completed.out, completed.err) == (0, f"{JOB_ID}\n", "")
    assert stub.request.headers["prefer"] == "respond-async"
    assert stub.request.headers["accept"] == "application/json"
    assert "idempotency-key" in stub.request.headers


def test_detach_with_json_prints_the_response(run: Run, stub: Stub) -> None:
    stub.respond(RUNS, 202)
    assert json.loads(run("--json", "--detach", "version").out) == RUNS


def test_detach_from_a_failed_command_prints_the_job_id(run: Run, stub: Stub) -> None:
    stub.respond(envelope(status="ERROR", output="no", exit_code=1, job=job(state="failed")), 422)
    assert run("--detach", "version").out == f"{JOB_ID}\n"


def test_detach_without_a_job_prints_the_output(run: Run, stub: Stub) -> None:
    stub.respond(envelope(stderr="log"))
    completed = run("--detach", "version")
    assert (completed.status, completed.out, completed.err) == (0, "1.7.0\n", "log")


def test_detach_from_a_refused_command_fails(run: Run, stub: Stub) -> None:
    stub.respond(envelope(status="ERROR", output="no", stdout=None, stderr=None, exit_code=None), 403)
    completed = run("--detach", "version")
    assert (completed.status, completed.message()) == (ExitStatus.REFUSED, "no")


def test_detach_rejects_a_local_output_file(run: Run, stub: Stub, tmp_path: Path) -> None:
    completed = run("--detach", "variables", "--export", str(tmp_path / "x"))
    assert completed.status == ExitStatus.USAGE
    assert "cannot be combined" in completed.message()
    assert (stub.requests, list(tmp_path.iterdir())) == ([], [])


def test_environment_does_not_set_detach(run: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_REMOTE_DETACH", "1")
    assert run("version").out == "1.7.0\n"


def test_detach_is_only_for_commands(run: Run, stub: Stub) -> None:
    completed = run("--detach", "job", "list")
    assert completed.status == ExitStatus.USAGE
    assert "--detach is only for commands" in completed.message()
    assert stub.requests == []


# ``job list`` and ``job show``.


def test_jobs_are_a_table(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(
        listed_jobs=[
            job(
                id="b",
                airflow_cmd="airflow dags\nlist",
                created="2016-11-29T14:22:26.000+00:00",
                started="2016-11-29T14:22:26.000+00:00",
                ended="2016-11-29T14:22:28.500+00:00",
                exit_code=-15,
                state="stopped",
            ),
            job(id="a1", name="version", created=None, started="soon"),
        ]
    )
    completed = run("job", "list")
    assert completed.status == 0
    assert completed.out == (
        "ID  STATE    EXIT CODE  CREATED              SECONDS  COMMAND\n"
        "b   stopped  -15        2016-11-29T14:22:26  2.5      airflow dags list\n"
        "a1  running                                           version\n"
    )


def test_no_jobs_are_an_empty_table(run: Run, stub: Stub) -> None:
    stub.job = FakeJob()
    assert run("job", "list").out == "ID  STATE  EXIT CODE  CREATED  SECONDS  COMMAND\n"


@pytest.mark.parametrize("line", [["job", "list", "-o", "json"], ["--json", "job", "list"]])
def test_json_output_has_the_documents_of_the_server(run: Run, stub: Stub, line: list[str]) -> None:
    stub.job = FakeJob(listed_jobs=[job(more=1)])
    assert json.loads(run(*line).out) == {"jobs": [job(more=1)]}


def test_job_list_is_filtered(run: Run, stub: Stub) -> None:
    stub.job = FakeJob()
    line = "job list --state running --state timed-out --command trigger_dag --limit 7"
    assert run(*line.split()).status == 0
    assert stub.request.query == {"state": "running,timed_out", "command": "trigger_dag", "limit": "7"}


def test_job_show_prints_all_fields(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(end={"state": "failed", "arguments": {"dag_id": "x"}, "message": None})
    shown = run("job", "show", JOB_ID).out.splitlines()
    assert f"id         {JOB_ID}" in shown
    assert "arguments  {'dag_id': 'x'}" in shown
    assert "message" in shown
    expected = job(state="failed", arguments={"dag_id": "x"}, message=None)
    assert json.loads(run("job", "show", JOB_ID, "-o", "json").out) == expected
    assert json.loads(run("--json", "job", "show", JOB_ID).out) == expected


# ``job output``, ``job wait`` and ``job stop``.


def test_output_is_written_byte_for_byte(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(b"a\xff\r\n", b"log\x80", step=2, silent_polls=2)
    completed = run("job", "output", JOB_ID)
    assert (completed.stdout, completed.stderr) == (b"a\xff\r\n", b"log\x80")
    assert run("job", "output", JOB_ID, "--stream", "stdout").stdout == b"a\xff\r\n"
    completed = run("job", "output", JOB_ID, "--stream", "stderr", "--follow")
    assert (completed.status, completed.stdout, completed.stderr) == (0, b"log\x80", b"")
    assert stub.job.silent_polls == 0


def test_both_streams_are_followed_each_to_its_own(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(b"a\nb\n", b"log\n", step=2, silent_polls=2, tells_state=True)
    completed = run("job", "output", JOB_ID, "--follow")
    assert (completed.status, completed.stdout, completed.stderr) == (0, b"a\nb\n", b"log\n")


def test_job_wait_prints_the_output_and_has_the_exit_code(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(b"out", b"err", FAILED, silent_polls=1)
    completed = run("job", "wait", JOB_ID)
    assert (completed.status, completed.out, completed.err) == (3, "out", "err\nairflow-remote: because\n")
    stub.job = FakeJob(b"out\n")
    completed = run("job", "wait", JOB_ID)
    assert (completed.status, completed.out, completed.err) == (0, "out\n", "")


def test_job_wait_with_json_prints_the_envelope(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(b"out", end=FAILED)
    completed = run("--json", "job", "wait", JOB_ID)
    assert completed.status == 3
    assert json.loads(completed.out)["error"] == {"type": "CommandFailed", "message": "because"}


def test_job_stop_prints_the_state(run: Run, stub: Stub) -> None:
    stub.job = FakeJob()
    assert run("job", "stop", JOB_ID).out == "stopping\n"
    assert json.loads(run("--json", "job", "stop", "--force", JOB_ID).out) == job()
    assert stub.job.stop_requests == [{"force": False}, {"force": True}]
    stopping = {"until": "2016-11-29T14:32:26+00:00", "seconds": 598, "message": "stopping, up to 598 s"}
    stub.job.stopping = {"stopping": stopping}
    assert run("job", "stop", JOB_ID).out == "stopping, up to 598 s\n"
    stub.job.failures = [json_response(job()), json_response(job(state="succeeded"))]
    assert run("job", "stop", JOB_ID).out == "succeeded\n"


def test_job_delete_prints_the_ids(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(listed_jobs=[job(state="failed")])
    completed = run("job", "delete", JOB_ID, JOB_ID)
    assert (completed.status, completed.out) == (0, f"{JOB_ID}\n" * 2)
    assert stub.job.deleted == [JOB_ID] * 2
    message = "job x is running: stop it first"
    conflict = envelope(status="ERROR", output=message, stdout=None, stderr=None, exit_code=None, job=None)
    stub.job.failures = [json_response(job()), json_response(conflict, 409)]
    completed = run("job", "delete", JOB_ID)
    assert (completed.status, completed.out, completed.message()) == (ExitStatus.FAILED, "", message)


def old_jobs() -> list[dict[str, Any]]:
    """Return jobs that ended now, an hour ago, two and a hundred days ago, and one without a date."""
    now = datetime.now(timezone.utc)
    ages = {
        "e": timedelta(0),
        "d": timedelta(hours=1),
        "c": timedelta(days=2),
        "b": timedelta(days=100),
    }
    jobs = [job(id=name, state="failed", ended=(now - age).isoformat()) for name, age in ages.items()]
    return [*jobs, job(id="a", state="lost", ended=None)]


@pytest.mark.parametrize(
    ("options", "deleted"),
    [
        ("--keep 0", "edcba"),
        ("--keep 3", "ba"),
        ("--older-than 30m", "dcb"),
        ("--older-than 47h", "cb"),
        ("--older_than 3d --keep 2", "b"),
        ("--older-than 3d --keep 9", ""),
    ],
)
def test_job_prune_deletes_old_jobs(run: Run, stub: Stub, options: str, deleted: str) -> None:
    stub.job = FakeJob(listed_jobs=old_jobs())
    completed = run("job", "prune", "--yes", *options.split())
    assert (completed.status, completed.out) == (0, "".join(f"{name}\n" for name in deleted))
    assert stub.job.deleted == list(deleted)
    assert stub.requests[0].query["state"] == "succeeded,failed,stopped,timed_out,lost"


def test_job_prune_asks_first(stub: Stub) -> None:
    for answer, deleted in (("n", []), ("y", ["b", "a"])):
        stub.job = FakeJob(listed_jobs=old_jobs())
        with run_in_terminal("--url", stub.url, "job", "prune", "--keep", "3") as terminal:
            terminal.read_until("[y/N] ")
            assert "Delete 2 jobs with the output?" in terminal.screen
            terminal.type(f"{answer}\n")
            status, _ = terminal.wait()
        assert (status, stub.job.deleted) == (0 if deleted else ExitStatus.FAILED, deleted)


@pytest.mark.parametrize("command", ["show", "output", "wait", "stop", "delete"])
def test_unknown_job_is_one_line(run: Run, stub: Stub, command: str) -> None:
    stub.job = FakeJob()
    completed = run("job", command, "another")
    assert (completed.status, completed.message()) == (ExitStatus.USAGE, "no such job")
    assert "is not a valid job id" in run("job", command, "../x").message()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("job", "Missing command"),
        ("job lst", "No such command"),
        ("job show", "Missing argument"),
        ("job list --state done", "is not one of"),
        ("job list --limit 0", "not in the range"),
        ("job output x --stream stdin", "is not one of"),
        ("job delete", "Missing argument"),
        ("job prune --yes", "give --older-than, --keep, or both"),
        ("job prune --keep 1", "pass --yes"),
        ("job prune --yes --older-than 7", "such as 30m, 12h or 7d"),
        ("jobb", "did you mean 'job'?"),
    ],
)
def test_usage_error_is_one_line(run: Run, live: Stub, line: str, reason: str) -> None:
    completed = run(*line.split())
    assert completed.status == ExitStatus.USAGE
    assert reason in completed.message()
    assert live.requests == []


@pytest.mark.parametrize("command", ["list", "show", "output", "wait", "stop", "delete", "prune"])
def test_every_job_command_has_help(command: str) -> None:
    completed = call("job", command, "--help")
    assert (completed.status, completed.stderr) == (0, b"")
    assert f"Usage: airflow-remote job {command}" in completed.out
    assert command in call("job", "--help").out
    assert "\n  job  List jobs" in call("--help").out
