"""``--detach`` and the commands of the group ``job``."""

from __future__ import annotations

import json

import pytest
from conftest import call
from stub import JOB_ID, FakeJob, answered, envelope, job

from airflow_remote.exit_status import ExitStatus

RUNS = envelope(output="version runs", stdout=None, stderr=None, exit_code=None, job=job())
FAILED = {"state": "failed", "exit_code": 3, "message": "because"}


# --detach


def test_detach_prints_the_job_s_id_and_nothing_else(run, stub):
    stub.answer(RUNS, 202)
    ended = run("--detach", "version")
    assert (ended.status, ended.out, ended.err) == (0, f"{JOB_ID}\n", "")
    assert stub.request.headers["prefer"] == "respond-async"
    assert stub.request.headers["accept"] == "application/json"
    assert "idempotency-key" in stub.request.headers


def test_detach_with_json_prints_the_answer(run, stub):
    stub.answer(RUNS, 202)
    assert json.loads(run("--json", "--detach", "version").out) == RUNS


def test_detach_from_what_ended_at_once_is_the_same(run, stub):
    stub.answer(envelope(status="ERROR", output="no", exit_code=1, job=job(state="failed")), 422)
    assert run("--detach", "version").out == f"{JOB_ID}\n"


def test_detach_from_what_is_no_job_shows_the_answer(run, stub):
    stub.answer(envelope(stderr="log"))
    ended = run("--detach", "version")
    assert (ended.status, ended.out, ended.err) == (0, "1.7.0\n", "log")


def test_detach_from_what_is_refused_fails(run, stub):
    stub.answer(envelope(status="ERROR", output="no", stdout=None, stderr=None, exit_code=None), 403)
    ended = run("--detach", "version")
    assert (ended.status, ended.says()) == (ExitStatus.REFUSED, "no")


def test_detach_and_a_local_file_do_not_go_together(run, stub, tmp_path):
    ended = run("--detach", "variables", "--export", str(tmp_path / "x"))
    assert ended.status == ExitStatus.USAGE
    assert "do not go together" in ended.says()
    assert (stub.requests, list(tmp_path.iterdir())) == ([], [])


def test_the_environment_does_not_detach(run, stub, monkeypatch):
    monkeypatch.setenv("AIRFLOW_REMOTE_DETACH", "1")
    assert run("version").out == "1.7.0\n"


def test_detach_goes_with_commands_only(run, stub):
    ended = run("--detach", "job", "list")
    assert ended.status == ExitStatus.USAGE
    assert "--detach goes with a command" in ended.says()
    assert stub.requests == []


# job list, job show


def test_jobs_are_a_table(run, stub):
    stub.job = FakeJob(
        listed=[
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
    ended = run("job", "list")
    assert ended.status == 0
    assert ended.out == (
        "ID  STATE    EXIT CODE  CREATED              SECONDS  COMMAND\n"
        "b   stopped  -15        2016-11-29T14:22:26  2.5      airflow dags list\n"
        "a1  running                                           version\n"
    )


def test_no_jobs_are_an_empty_table(run, stub):
    stub.job = FakeJob()
    assert run("job", "list").out == "ID  STATE  EXIT CODE  CREATED  SECONDS  COMMAND\n"


@pytest.mark.parametrize("line", [["job", "list", "-o", "json"], ["--json", "job", "list"]])
def test_jobs_as_json_are_as_the_server_has_them(run, stub, line):
    stub.job = FakeJob(listed=[job(more=1)])
    assert json.loads(run(*line).out) == {"jobs": [job(more=1)]}


def test_jobs_are_asked_for_by_state_command_and_number(run, stub):
    stub.job = FakeJob()
    line = "job list --state running --state timed-out --command trigger_dag --limit 7"
    assert run(*line.split()).status == 0
    assert stub.request.query == {"state": "running,timed_out", "command": "trigger_dag", "limit": "7"}


def test_a_job_is_shown(run, stub):
    stub.job = FakeJob(end={"state": "failed", "arguments": {"dag_id": "x"}, "message": None})
    shown = run("job", "show", JOB_ID).out.splitlines()
    assert f"id         {JOB_ID}" in shown
    assert "arguments  {'dag_id': 'x'}" in shown
    assert "message" in shown
    expected = job(state="failed", arguments={"dag_id": "x"}, message=None)
    assert json.loads(run("job", "show", JOB_ID, "-o", "json").out) == expected
    assert json.loads(run("--json", "job", "show", JOB_ID).out) == expected


# job output, job wait, job stop


def test_output_is_written_byte_for_byte(run, stub):
    stub.job = FakeJob(b"a\xff\r\n", b"log\x80", step=2, silent=2)
    assert run("job", "output", JOB_ID).stdout == b"a\xff\r\n"
    ended = run("job", "output", JOB_ID, "--stream", "stderr", "--follow")
    assert (ended.status, ended.stdout, ended.stderr) == (0, b"log\x80", b"")
    assert stub.job.silent == 0


def test_waiting_prints_what_the_job_prints_and_ends_with_its_exit_code(run, stub):
    stub.job = FakeJob(b"out", b"err", FAILED, silent=1)
    ended = run("job", "wait", JOB_ID)
    assert (ended.status, ended.out, ended.err) == (3, "out", "err\nairflow-remote: because\n")
    stub.job = FakeJob(b"out\n")
    ended = run("job", "wait", JOB_ID)
    assert (ended.status, ended.out, ended.err) == (0, "out\n", "")


def test_waiting_with_json_prints_the_envelope(run, stub):
    stub.job = FakeJob(b"out", end=FAILED)
    ended = run("--json", "job", "wait", JOB_ID)
    assert ended.status == 3
    assert json.loads(ended.out)["error"] == {"type": "CommandFailed", "message": "because"}


def test_stopping_asks_and_says_the_state(run, stub):
    stub.job = FakeJob()
    assert run("job", "stop", JOB_ID).out == "stopping\n"
    assert json.loads(run("--json", "job", "stop", "--force", JOB_ID).out) == job()
    assert stub.job.stops == [{"force": False}, {"force": True}]
    stub.job.failures = [answered(job()), answered(job(state="succeeded"))]
    assert run("job", "stop", JOB_ID).out == "succeeded\n"


@pytest.mark.parametrize("command", ["show", "output", "wait", "stop"])
def test_a_job_that_is_not_there_is_one_line(run, stub, command):
    stub.job = FakeJob()
    ended = run("job", command, "another")
    assert (ended.status, ended.says()) == (ExitStatus.USAGE, "no such job")
    assert "is not a job's id" in run("job", command, "../x").says()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("job", "Missing command"),
        ("job lst", "No such command"),
        ("job show", "Missing argument"),
        ("job list --state done", "is not one of"),
        ("job list --limit 0", "not in the range"),
        ("job output x --stream stdin", "is not one of"),
        ("jobs", "did you mean 'job'?"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(run, stub, line, reason):
    ended = run(*line.split())
    assert ended.status == ExitStatus.USAGE
    assert reason in ended.says()
    assert stub.requests == []


@pytest.mark.parametrize("command", ["list", "show", "output", "wait", "stop"])
def test_every_job_command_has_help(command):
    ended = call("job", command, "--help")
    assert (ended.status, ended.stderr) == (0, b"")
    assert f"Usage: airflow-remote job {command}" in ended.out
    assert command in call("job", "--help").out
    assert "\n  job  List jobs" in call("--help").out
