"""A command from its request to its end, by the program and the Python API, whatever comes in between."""

from __future__ import annotations

import re
import threading
import time

import pytest
from conftest import call
from stub import (
    JOB_ID,
    STARTED,
    UNFINISHED,
    FakeJob,
    answered,
    envelope,
    event,
    finished,
    job,
    printed,
    streamed,
)
from werkzeug.wrappers import Response

from airflow_remote import errors, following
from airflow_remote.client import Client
from airflow_remote.exit_status import ExitStatus

GATEWAY = Response("<h1>Bad Gateway</h1>", 502, content_type="text/html")
NOT_NOW = answered(envelope(status="ERROR", output="store locked", stdout=None, exit_code=None), 503)
FAILED = {"status": "ERROR", "output": "because", "exit_code": 3, "http_response_code": 422}


@pytest.fixture
def listen(stub):
    """Run a command by the Python API, and give its result with what was heard of it."""

    def listen(**more):
        said, heard = [], []
        client = Client(stub.url, say=said.append, **more)
        try:
            ended = client.run("version", on_output=lambda *text: heard.append(text))
        except errors.RemoteError as error:
            ended = error
        return ended, heard, said

    return listen


# What is asked for.


def test_the_program_asks_for_events_and_for_json_where_there_are_none(run, stub):
    run("version")
    headers = stub.request.headers
    assert headers["accept"] == "application/x-ndjson, application/json;q=0.5"
    assert headers["accept-encoding"] == "identity"
    assert "prefer" not in headers


def test_every_command_has_a_key_of_its_own(run, stub):
    run("version")
    run("version")
    first, second = (request.headers["idempotency-key"] for request in stub.requests)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)
    assert first != second


@pytest.mark.parametrize(("timeout", "wait"), [("100", "wait=50"), ("9", "wait=4"), ("1", "wait=0")])
def test_with_a_short_time_out_the_server_is_asked_to_answer_before_it(run, stub, timeout, wait):
    assert run("--timeout", timeout, "version").status == 0
    assert stub.request.headers["prefer"] == wait


# Events.


def test_output_goes_where_the_command_wrote_it(run, stub):
    stub.stream(
        STARTED,
        printed("a"),
        printed("log\n", "stderr"),
        printed("b\n"),
        finished(stdout="ab\n", stderr="log\n"),
    )
    ended = run("version")
    assert (ended.status, ended.out, ended.err) == (0, "ab\n", "log\n")
    assert len(stub.requests) == 1


@pytest.mark.parametrize("protocol", ["HTTP/1.0 200 OK", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"])
def test_output_is_passed_on_when_it_comes_and_not_when_the_command_ends(live_stub, start, protocol):
    live_stub.head = protocol
    process = start("--url", live_stub.url, "version")
    live_stub.send(STARTED + printed("first\n"))
    assert process.stdout.read(6) == b"first\n"
    live_stub.send(printed("second\n") + finished(stdout="first\nsecond\n"))
    live_stub.close()
    assert process.communicate(timeout=30) == (b"second\n", b"")
    assert process.returncode == 0


def test_what_was_not_streamed_is_written_at_the_end(run, stub):
    stub.stream(STARTED, printed("a"), finished(stdout="abc", stderr="e"))
    ended = run("version")
    assert (ended.out, ended.err) == ("abc", "e")


def test_a_failure_ends_with_the_command_s_exit_code(run, stub):
    stub.stream(
        STARTED, printed("out"), printed("no", "stderr"), finished(**FAILED, stdout="out", stderr="no")
    )
    ended = run("version")
    assert (ended.status, ended.out, ended.err) == (3, "out", "no\nairflow-remote: because\n")
    stub.stream(STARTED, printed("because\n", "stderr"), finished(**FAILED, stdout="", stderr="because\n"))
    ended = run("version")
    assert (ended.status, ended.err) == (3, "because\n")


def test_a_warning_begins_a_line(run, stub):
    stub.stream(STARTED, printed("log", "stderr"), finished(stderr="log", warning="careful"))
    assert run("version").err == "log\nairflow-remote: warning: careful\n"


def test_with_json_the_envelope_is_all_that_is_written(run, stub):
    stub.stream(STARTED, printed("a"), finished(stdout="a"))
    ended = run("--json", "version")
    assert '"stdout": "a"' in ended.out
    assert ended.out.startswith("{")


def test_a_file_gets_its_content_when_the_command_has_ended(run, stub, tmp_path):
    stub.stream(STARTED, printed("{"), printed("log\n", "stderr"), UNFINISHED)
    stub.job = FakeJob(b"{}\n", b"log\n")
    ended = run("variables", "--export", str(tmp_path / "file"))
    assert (ended.status, ended.out, ended.err) == (0, "", "log\n")
    assert (tmp_path / "file").read_text() == "{}\n"


def test_a_service_is_not_waited_for(run, stub):
    stub.stream(event(event="started", job=job(kind="service")), event(event="alive"))
    service = envelope(output="scheduler runs", stdout=None, exit_code=None, job=job(kind="service"))
    stub.at_first(answered(service, 202))
    ended = run("scheduler")
    assert (ended.status, ended.out) == (0, "scheduler runs\n")
    first, second = stub.requests
    assert second.headers["accept"] == "application/json"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize(
    "lines",
    [
        [b"<html>\n"],
        [printed("a")],
        [finished()],
        [STARTED, b"nonsense\n"],
        [STARTED, event(event="finished", envelope={"status": "FINE"})],
        [STARTED, event(event="finished", envelope=None)],
    ],
    ids=str,
)
def test_events_of_something_else_are_not_the_api_s(run, stub, lines):
    stub.stream(*lines)
    assert run("version").status == ExitStatus.NOT_THE_API
    assert len(stub.requests) == 1


# A command that outlasts the answer.


def test_a_stream_that_ends_before_the_command_is_gone_on_with(run, stub):
    out, err = "é\n".encode() * 50, b"\xff log\n"
    stub.stream(STARTED, printed("é\n" * 3), printed("\ufffd l", "stderr"), UNFINISHED)
    stub.job = FakeJob(out, err, step=7, silent=2)
    ended = run("version")
    assert (ended.status, ended.stdout, ended.err) == (0, out, "\ufffd log\n")
    [first, *_] = [request for request in stub.named("output") if request.query["stream"] == "stdout"]
    assert first.query["offset"] == "9"
    assert len(stub.named("version")) == 1


def test_a_job_that_fails_later_ends_with_its_exit_code_and_message(run, stub):
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(b"out", b"err", {"state": "failed", "exit_code": 3, "message": "because"})
    ended = run("version")
    assert (ended.status, ended.out, ended.err) == (3, "out", "err\nairflow-remote: because\n")


@pytest.mark.parametrize(
    ("end", "status", "message"),
    [
        ({"state": "stopped", "exit_code": -15, "message": "the command was stopped"}, 143, "was stopped"),
        ({"state": "stopped", "exit_code": None, "message": "it was stopped"}, 1, "it was stopped"),
        ({"state": "timed_out", "exit_code": -9, "message": "the command ran over 1 s"}, 137, "over 1 s"),
        ({"state": "timed_out"}, 1, "the command has timed out"),
        ({"state": "lost", "exit_code": None, "message": "the command is lost"}, 1, "is lost"),
        ({"state": "failed", "exit_code": 0}, 1, "the command has failed"),
        ({"state": "of the future"}, 1, "the command has of the future"),
    ],
    ids=str,
)
def test_a_job_that_comes_to_a_bad_end_fails(run, stub, end, status, message):
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(end=end)
    ended = run("version")
    assert ended.status == status
    assert message in ended.says()


def test_an_answer_of_202_is_followed_too(stub):
    stub.at_first(answered(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    found = '[{"dag_run_id": "r"}]\n'
    end = {"state": "succeeded", "exit_code": 0, "name": "trigger_dag", "airflow_cmd": "airflow dags trigger"}
    times = {"created": "2016-11-29T14:22:26.000+00:00", "ended": "2016-11-29T15:22:29+00:00"}
    stub.job = FakeJob(found.encode(), b"log", {**end, **times, "arguments": {"dag_id": "x"}})
    result = Client(stub.url).run("trigger_dag", dag_id="x")
    assert result.ok
    assert result.envelope == {
        "airflow_cmd": "airflow dags trigger",
        "arguments": {"dag_id": "x"},
        "call_time": "Tue, 29 Nov 2016 14:22:26 GMT",
        "output": found[:-1],
        "response_time": "Tue, 29 Nov 2016 15:22:29 GMT",
        "status": "OK",
        "http_response_code": 200,
        "exit_code": 0,
        "stdout": found,
        "stderr": "log",
        "result": [{"dag_run_id": "r"}],
        "dag_run_id": "r",
        "job": job(state="succeeded"),
    }


def test_an_answer_of_202_without_a_job_is_the_end(run, stub):
    stub.answer(envelope(output="runs", stdout=None, exit_code=None, job={"kind": "command"}), 202)
    assert run("version").out == "runs\n"


def test_a_job_that_the_server_has_removed_is_told(run, stub):
    stub.stream(event(event="started", job=job(id="gone")), event(event="unfinished", job=job(id="gone")))
    stub.job = FakeJob()
    ended = run("version")
    assert (ended.status, ended.says()) == (ExitStatus.USAGE, "no such job")


def test_a_server_that_does_not_hold_polls_back_is_not_run_over(run, stub, monkeypatch):
    monkeypatch.setattr(following, "REST_SECONDS", 0.1)
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(silent=6)
    began = time.monotonic()
    assert run("version").status == 0
    assert time.monotonic() - began > 0.15


# Lost connections.


def test_a_command_whose_answer_is_lost_is_sent_again_under_its_key(run, stub, tmp_path):
    (tmp_path / "dag.py").write_text("pass\n" * 1000)
    stub.at_first(None, None, GATEWAY, streamed([STARTED, printed("done"), finished(stdout="done")]))
    ended = run("deploy_dag", str(tmp_path / "dag.py"))
    assert (ended.status, ended.out) == (0, "done")
    [line] = ended.err.splitlines()
    assert line.startswith("airflow-remote: the connection to http://127.0.0.1")
    assert line.endswith("; trying again")
    assert len(stub.requests) == 4
    assert len({request.headers["idempotency-key"] for request in stub.requests}) == 1
    assert all(len(request.files["dag_file"][1]) == 5000 for request in stub.requests)


def test_it_is_given_up_after_three_more_times(listen, stub):
    stub.at_first(*[None] * 9)
    error, _, said = listen()
    assert type(error) is errors.LostError
    assert str(error).endswith("; the command may have been run")
    assert len(said) == 1
    assert len(stub.requests) == 4


def test_what_the_server_does_not_want_now_is_not_sent_again(listen, stub):
    stub.at_first(None, NOT_NOW)
    assert type(listen()[0]) is errors.BusyError
    assert len(stub.requests) == 2


def test_a_proxy_s_answer_is_not_waited_away(listen, stub):
    stub.at_first(GATEWAY)
    assert type(listen()[0]) is errors.GatewayError
    assert len(stub.requests) == 1


def test_a_stream_that_breaks_off_before_it_says_anything_is_asked_for_again(listen, stub):
    stub.stream(STARTED[:20])
    stub.stream(STARTED, printed("a"), finished(stdout="a"))
    result, heard, said = listen()
    assert (result.ok, heard, len(said), len(stub.requests)) == (True, [("stdout", "a")], 1, 2)


@pytest.mark.parametrize("rest", [b"", printed("never whole")[:-9], event(event="alive")])
def test_a_stream_that_breaks_off_is_gone_on_with_where_it_was(listen, stub, rest):
    stub.stream(STARTED, printed("ab"), printed("e", "stderr"), rest)
    stub.job = FakeJob(b"abcd", b"e")
    result, heard, said = listen()
    assert result.stdout == "abcd"
    assert heard == [("stdout", "ab"), ("stderr", "e"), ("stdout", "cd")]
    assert said == [
        f"the connection to {stub.url}/admin/rest_api was lost while the command ran; trying again"
    ]
    assert len(stub.named("version")) == 1


def test_polls_that_fail_are_tried_again(listen, stub):
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(b"out", failures=[None, GATEWAY, NOT_NOW])
    result, heard, said = listen()
    assert (result.ok, heard, len(said)) == (True, [("stdout", "out")], 1)


def test_polls_that_go_on_failing_say_that_the_job_goes_on(listen, stub):
    stub.stream(STARTED, UNFINISHED)
    stub.job = FakeJob(failures=[None] * 9)
    error, _, _ = listen()
    assert type(error) is errors.LostError
    assert str(error).endswith(f"; job {JOB_ID} goes on there, see `airflow-remote job wait {JOB_ID}`")
    assert len(stub.named("output")) == 4


def test_silence_in_a_stream_is_not_the_command_s_end(live_stub):
    live_stub.head = "HTTP/1.0 200 OK"
    threading.Thread(target=live_stub.send, args=(STARTED + printed("a"),)).start()
    said = []
    with pytest.raises(errors.RemoteError, match=f"job {JOB_ID} goes on there"):
        Client(live_stub.url, timeout=0.2, say=said.append).run("version", on_output=lambda *_: None)
    assert said == [
        f"no answer from {live_stub.url}/admin/rest_api within 0.2 s (see --timeout); trying again"
    ]


def test_a_broken_chunk_is_a_lost_connection(raw_stub):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw_stub.data = head + b"5\r\nabc"
    assert "lost" in call("--url", raw_stub.url, "version").gives_up()


def test_nothing_is_followed_for_a_caller_that_does_not_wait(stub):
    stub.at_first(answered(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202))
    result = Client(stub.url).run("version", wait=False)
    assert result.job == job()
    assert stub.request.headers["prefer"] == "respond-async"


def test_a_caller_learns_of_the_job_while_it_runs(stub):
    jobs = []
    stub.stream(STARTED, finished())
    Client(stub.url).run("version", on_start=jobs.append)
    assert [found.id for found in jobs] == [JOB_ID]


def test_one_client_serves_several_threads(stub):
    client, results = Client(stub.url), []
    threads = [threading.Thread(target=lambda: results.append(client.run("version"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
