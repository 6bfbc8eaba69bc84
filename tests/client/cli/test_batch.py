"""``batch`` and the batches of the Python API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from airflow_remote.api.batch import encode_commands
from airflow_remote.cli.batch import parse_json
from airflow_remote.client import Client
from airflow_remote.errors import ArgumentsError, NotTheApiError, RefusedError, UnusableError
from airflow_remote.exit_status import ExitStatus
from client.program import Run
from client.responses import EVENTS_TYPE, JOB_ID, NOT_RUN, envelope, job, json_response
from client.stub import FakeJob, Stub

PAUSE = '{"command": "dags pause", "arguments": {"dag_id": "a"}}'
LOCATION = {"Location": f"/admin/rest_api/api/v1.0/jobs/{JOB_ID}"}


def line(index: int | None = None, **fields: Any) -> bytes:
    """Return a line of a batch; without an index, that of the batch as a whole."""
    head: dict[str, Any] = {} if index is None else {"index": index, "command": "version"}
    return json.dumps({**head, **envelope(**fields)}).encode() + b"\n"


def end(**fields: Any) -> bytes:
    """Return the last line of a batch."""
    return line(
        **{"output": "all succeeded", "stdout": None, "stderr": None, "job": job(state="succeeded"), **fields}
    )


def batch_response(*lines: bytes) -> Response:
    """Return a stream of lines, with the path of the job."""
    return Response(iter(lines), 200, LOCATION, content_type=EVENTS_TYPE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with two commands."""
    path = tmp_path / "commands"
    path.write_text(f"# two commands\n\n{PAUSE}\n  {PAUSE}\r\n")
    return path


def test_results_are_printed(run: Run, stub: Stub, file: Path) -> None:
    stub.respond_next(
        batch_response(line(0, stdout="a\n"), b"  ", line(1, stdout="b\n", stderr="log\n"), end())
    )
    completed = run("batch", str(file), "--parallel", "2", "--stop-on-failure")
    assert (completed.status, completed.out, completed.err) == (0, "a\nb\n", "log\n")
    request = stub.request
    assert (request.method, request.name) == ("POST", "batch")
    assert request.arguments == {"lines": [json.loads(PAUSE)] * 2}
    assert request.query == {"parallel": "2", "stop_on_failure": "true"}
    assert "idempotency-key" in request.headers


def test_failures_and_warnings_are_named(run: Run, stub: Stub, file: Path) -> None:
    failed = line(0, status="ERROR", output="no such DAG", http_response_code=404, exit_code=1, stdout="")
    last = end(status="ERROR", output="1 of 2 commands failed", http_response_code=422, exit_code=1)
    stub.respond_next(batch_response(failed, line(1, stdout="", warning="half"), last))
    completed = run("batch", str(file))
    assert completed.status == 1
    assert completed.messages() == [
        "commands[0] (airflow version) failed: no such DAG",
        "commands[1] (airflow version): warning: half",
        "1 of 2 commands failed",
    ]


@pytest.mark.parametrize("option", [("-o", "json"), ("--output=json",)])
def test_json_prints_each_line(run: Run, stub: Stub, file: Path, option: tuple[str, ...]) -> None:
    lines = [line(0), line(1, status="ERROR", exit_code=3, http_response_code=422)]
    stub.respond_next(batch_response(*lines, end(status="ERROR", exit_code=1, http_response_code=422)))
    completed = run("batch", *option, str(file))
    assert (completed.status, completed.err) == (1, "")
    assert [json.loads(each) for each in completed.out.splitlines()] == [json.loads(each) for each in lines]


def test_command_lines_are_parsed_with_the_catalog(run: Run, live: Stub, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text(
        "dags trigger d --conf '{\"a\": 1}'\nairflow variables set k 'a b'\nairflow-remote version\n"
    )
    live.respond_next(batch_response(line(0), line(1), line(2), end()))
    assert run("batch", str(path)).status == 0
    assert live.request.arguments["lines"] == [
        {"command": "dags trigger", "arguments": {"dag_id": "d", "conf": '{"a": 1}'}},
        {"command": "variables set", "arguments": {"key": "k", "value": "a b"}},
        {"command": "version", "arguments": {}},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no commands"),
        ("# only a comment\n", "there are no commands"),
        ("{", "line 1: not valid JSON"),
        ('\n{"commands": []}', "line 2: must be"),
        ('{"command": "x", "arguments": []}', "line 1: must be"),
        ("dags pase d", "line 1: the server's Airflow has no command 'dags pase d'"),
        ("trigger_dag d", "write classic commands as JSON"),
        ("variables set k", "line 1: the following arguments are required: value"),
        ("variables set k 'v", "line 1: No closing quotation"),
        ("variables --help", "line 1:"),
        ("version --help", "asks for help only"),
    ],
)
def test_invalid_files_are_rejected(run: Run, live: Stub, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "commands"
    path.write_text(text)
    completed = run("batch", str(path))
    assert completed.status == ExitStatus.USAGE
    assert message in completed.message()
    assert live.requests == []


def test_unreadable_files_are_reported(run: Run, stub: Stub, tmp_path: Path) -> None:
    assert run("batch", str(tmp_path / "missing")).status == ExitStatus.LOCAL_FILE
    (tmp_path / "binary").write_bytes(b"\xff")
    completed = run("batch", str(tmp_path / "binary"))
    assert completed.status == ExitStatus.LOCAL_FILE
    assert "is not UTF-8" in completed.message()


def test_detach_prints_the_job_id(run: Run, stub: Stub, file: Path) -> None:
    stub.respond(envelope(output="batch runs", **NOT_RUN, job=job()), 202)
    completed = run("--detach", "batch", str(file))
    assert (completed.status, completed.out) == (0, f"{JOB_ID}\n")
    assert stub.request.headers["prefer"] == "respond-async"


def test_rejected_batch_shows_the_problems(run: Run, stub: Stub, file: Path) -> None:
    message = "1 of 2 commands cannot run, so none was run: commands[1]: no"
    stub.respond(envelope(**NOT_RUN, status="ERROR", output=message), 403)
    completed = run("batch", str(file))
    assert (completed.status, completed.message()) == (ExitStatus.REFUSED, message)


# Lost connections.


def test_batch_is_followed_after_the_stream_ends(run: Run, stub: Stub, file: Path) -> None:
    lines = [line(0, stdout="é\n"), line(1, stdout="b\n")]
    stub.respond_next(batch_response(lines[0], lines[1][:9]))
    stub.job = FakeJob(
        b"".join(lines), step=50, end={"state": "succeeded", "exit_code": 0, "result": {"commands": 2}}
    )
    completed = run("batch", str(file))
    assert (completed.status, completed.out) == (0, "é\nb\n")
    [first, *_] = stub.requests_named("output")
    assert first.query["offset"] == str(len(lines[0]))


def test_unfinished_batch_is_followed(run: Run, stub: Stub, file: Path) -> None:
    lines = [line(0, stdout="a\n"), line(1, stdout="b\n")]
    stub.respond_next(batch_response(lines[0], end(http_response_code=202, job=job())))
    stub.job = FakeJob(b"".join(lines), end={"state": "failed", "exit_code": 1, "message": "2 failed"})
    completed = run("batch", str(file))
    assert (completed.status, completed.out) == (1, "a\nb\n")
    assert completed.err == "airflow-remote: 2 failed\n"


def test_request_is_repeated_with_its_key(run: Run, stub: Stub, file: Path) -> None:
    stub.respond_next(None, batch_response(line(0), line(1), end()))
    completed = run("batch", str(file))
    assert completed.status == 0
    first, second = stub.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


# The Python API.


def test_python_api_yields_results(stub: Stub) -> None:
    failed = line(0, status="ERROR", output="no", exit_code=1, http_response_code=422)
    stub.respond_next(batch_response(failed, line(1), end(result={"commands": 2})))
    ends: list[Any] = []
    jobs: list[Any] = []
    client = Client(stub.url, "t")
    commands = [("dags pause", {"dag_id": "a", "conf": None}), ("version", {})]
    results = list(client.batch(commands, on_end=ends.append, on_start=jobs.append))
    assert [(result.index, result.ok) for result in results] == [(0, False), (1, True)]
    assert [result.result for result in ends] == [{"commands": 2}]
    assert [each.id for each in jobs] == [JOB_ID]
    assert stub.request.arguments["lines"][0] == {"command": "dags pause", "arguments": {"dag_id": "a"}}


def test_python_api_submits_a_batch(stub: Stub) -> None:
    stub.respond(envelope(output="batch runs", **NOT_RUN, job=job()), 202)
    assert Client(stub.url, "t").submit_batch([("version", {})]).id == JOB_ID


@pytest.mark.parametrize(
    ("status", "error"), [(400, ArgumentsError), (403, RefusedError), (404, ArgumentsError)]
)
def test_python_api_raises_if_nothing_ran(stub: Stub, status: int, error: type[Exception]) -> None:
    stub.respond(envelope(**NOT_RUN, status="ERROR", output="no"), status)
    with pytest.raises(error):
        list(Client(stub.url, "t").batch([("version", {})]))


@pytest.mark.parametrize(
    "response", [Response(b"x\n", 200, LOCATION, content_type=EVENTS_TYPE), json_response({})]
)
def test_other_responses_are_no_batch(stub: Stub, response: Response) -> None:
    stub.respond_next(response)
    with pytest.raises(NotTheApiError):
        list(Client(stub.url, "t").batch([("version", {})]))


def test_values_that_are_not_json_are_rejected(stub: Stub) -> None:
    with pytest.raises(UnusableError, match=r"commands\[1\]"):
        list(Client(stub.url, "t").batch([("version", {}), ("x", {"a": Path("b")})]))
    assert stub.requests == []


@given(st.lists(st.tuples(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.booleans()))))
def test_encoded_commands_can_be_parsed(commands: Any) -> None:
    lines = encode_commands(commands).decode().splitlines()
    assert [parse_json(each) for each in lines] == commands


@given(st.text())
def test_any_text_is_json_or_a_value_error(text: str) -> None:
    try:
        name, arguments = parse_json("{" + text)
    except ValueError:
        return
    assert isinstance(name, str)
    assert isinstance(arguments, dict)
