"""Test streamed output: plain text and events."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for

from airflow_remote_server.http.streaming import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probe_dag import MakeProbe, Probe
    from remote import Remote
    from werkzeug.test import TestResponse

    MakeRemote = Callable[..., Remote]

pytestmark = pytest.mark.slow

TEXT, EVENTS = "text/plain", "application/x-ndjson"


def events(response: TestResponse) -> Iterator[dict[str, Any]]:
    """Yield the events of a response as they arrive."""
    rest = b""
    for piece in response.iter_encoded():
        *lines, rest = (rest + piece).split(b"\n")
        yield from (json.loads(line) for line in lines)
    assert rest == b"", "every event ends with a newline"


def output(received: list[dict[str, Any]], stream: str) -> str:
    """Return the output of one stream."""
    return "".join(
        each["data"] for each in received if each["event"] == "output" and each["stream"] == stream
    )


def follow(remote: Remote, probe: Probe, **more: Any) -> TestResponse:
    """Stream the output of a probe that has printed something already, also on a busy machine."""
    job_id = remote.begin(probe, IDEMPOTENCY_KEY=probe.id)
    wait_for(lambda: remote.output(job_id)["data"])
    return remote.run(probe, IDEMPOTENCY_KEY=probe.id, buffered=False, **more)


def test_text_stream_is_stdout(remote: Remote, make_probe: MakeProbe) -> None:
    from airflow import __version__

    response = remote("version", ACCEPT=TEXT)
    assert (response.status_code, response.text) == (200, f"{__version__}\n")
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert remote.job(response.headers["Location"].rpartition("/")[2])["state"] == "succeeded"
    both = remote.run(make_probe("both"), ACCEPT=TEXT).text
    assert "to stdout" in both
    assert "to stderr" not in both


def test_text_arrives_while_command_runs(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("wait")
    response = remote.run(probe, ACCEPT=TEXT, buffered=False)
    pieces = response.iter_encoded()
    assert next(pieces) == b"begun\n"
    probe.release()
    assert b"".join(pieces).startswith(b"done\n")
    response.close()


def test_failure_before_output_sets_status(remote: Remote, make_probe: MakeProbe) -> None:
    response = remote.run(make_probe("exit", 7), ACCEPT=TEXT)
    assert (response.status_code, response.text) == (422, "the command ended with exit code 7\n")


def test_unfinished_text_stream_ends_with_error(remote: Remote, make_probe: MakeProbe) -> None:
    response = follow(remote, make_probe("wait"), ACCEPT=TEXT, PREFER="wait=1")
    pieces = response.iter_encoded()
    assert next(pieces) == b"begun\n"
    with pytest.raises(Unfinished):  # the server then closes the connection without completing the body
        list(pieces)
    response.close()


@pytest.mark.parametrize("media", [TEXT, EVENTS])
def test_wait_limits_stream_of_chattering_command(remote: Remote, make_probe: MakeProbe, media: str) -> None:
    response = follow(remote, make_probe("chatter"), ACCEPT=media, PREFER="wait=1")
    if media == TEXT:
        with pytest.raises(Unfinished):
            list(response.iter_encoded())
    else:
        assert [*events(response)][-1]["event"] == "unfinished"
    response.close()


@pytest.mark.parametrize("media", [TEXT, EVENTS])
def test_output_over_the_limit_is_not_repeated(
    make_remote: MakeRemote, shared_state: Path, make_probe: MakeProbe, media: str
) -> None:
    remote = make_remote(state_dir=shared_state, max_output_bytes=1_000_000)
    probe = make_probe("tell", "flood")
    probe.write_text(json.dumps([[1, "the beginning"]]))
    response = remote.run(probe, ACCEPT=media, buffered=False)
    text = response.text if media == TEXT else output(list(events(response)), "stdout")
    assert len(text) >= 1_000_000
    assert text.count("the beginning") == 1


def test_text_stream_without_output_returns_202(remote: Remote, make_probe: MakeProbe) -> None:
    response = remote.run(make_probe("wait"), ACCEPT=TEXT, PREFER="respond-async")
    assert response.status_code == 202
    assert response.json["job"]["state"] in ("queued", "running")


def test_rejected_request_returns_json(remote: Remote) -> None:
    for media in (TEXT, EVENTS):
        response = remote("list_tasks", ACCEPT=media)
        assert (response.status_code, response.json["error"]["type"]) == (400, "BadArguments")


def test_events_describe_job_from_start_to_end(remote: Remote, make_probe: MakeProbe) -> None:
    response = remote.run(make_probe("both"), ACCEPT=EVENTS)
    assert (response.status_code, response.content_type) == (200, EVENTS)
    received = list(events(response))
    assert [each["event"] for each in received][:1] == ["started"]
    assert [each["event"] for each in received].count("finished") == 1
    job_id = received[0]["job"]["id"]
    assert output(received, "stdout").startswith("to stdout\n")
    assert "to stderr\n" in output(received, "stderr")
    envelope = received[-1]["envelope"]
    assert (envelope["status"], envelope["http_response_code"], envelope["job"]["id"]) == ("OK", 200, job_id)
    assert envelope["stdout"] == output(received, "stdout")
    assert envelope["stderr"] == output(received, "stderr")


def test_events_arrive_while_command_runs(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("wait")
    response = remote.run(probe, ACCEPT=EVENTS, buffered=False)
    coming = events(response)
    assert next(coming)["event"] == "started"
    assert next(coming) == {"event": "output", "stream": "stdout", "data": "begun\n"}
    probe.release()
    assert list(coming)[-1]["envelope"]["exit_code"] == 0
    response.close()


def test_last_event_of_failure_has_envelope(remote: Remote, make_probe: MakeProbe) -> None:
    received = list(events(remote.run(make_probe("exit", 7), ACCEPT=EVENTS)))
    envelope = received[-1]["envelope"]
    assert (envelope["http_response_code"], envelope["exit_code"]) == (422, 7)
    assert envelope["error"]["type"] == "CommandFailed"


def test_events_of_unfinished_command_end_with_job(remote: Remote, make_probe: MakeProbe) -> None:
    received = list(events(follow(remote, make_probe("wait"), ACCEPT=EVENTS, PREFER="wait=1")))
    assert (received[0]["event"], received[-1]["event"]) == ("started", "unfinished")
    assert received[-1]["job"]["state"] == "running"


def test_alive_events_are_sent_while_command_is_silent(
    remote: Remote, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_remote_server.http.streaming.ALIVE_SECONDS", 0.1)
    probe = make_probe("wait")
    response = remote.run(probe, ACCEPT=EVENTS, buffered=False)
    coming = events(response)
    for _ in range(3):
        assert "alive" in (each["event"] for each in coming)
    probe.release()
    assert list(coming)[-1]["event"] == "finished"
    response.close()


def test_split_character_is_reassembled(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("half")
    response = remote.run(probe, ACCEPT=EVENTS, buffered=False)
    coming = events(response)
    assert next(coming)["event"] == "started"
    assert next(coming)["data"] == "a"
    threading.Timer(0.1, probe.release).start()
    assert output([*coming], "stdout").startswith("\u00e9")
    response.close()


def test_output_arrives_within_100_ms(remote: Remote, make_probe: MakeProbe) -> None:
    took = [1.0]
    while min(took) >= 0.1 and len(took) < 50:  # a busy machine seldom lets it
        probe = make_probe("wait")
        response = remote.run(probe, ACCEPT=TEXT, buffered=False)
        pieces = response.iter_encoded()
        assert next(pieces) == b"begun\n"
        probe.release()
        begun = time.monotonic()
        assert next(pieces).startswith(b"done\n")
        took.append(time.monotonic() - begun)
        response.close()
    assert min(took) < 0.1


def test_disconnect_does_not_end_command(make_remote: Any, shared_state: Path, make_probe: MakeProbe) -> None:
    probe, remote = make_probe("wait"), make_remote(state_dir=shared_state)
    response = remote.run(probe, ACCEPT=EVENTS, buffered=False)
    coming = events(response)
    job_id = next(coming)["job"]["id"]
    wait_for(lambda: probe.processes)
    response.close()
    probe.release()
    assert make_remote(state_dir=shared_state).end(job_id)["state"] == "succeeded"


def test_repeated_request_gets_whole_stream(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("say", "hello")
    first = remote.run(probe, IDEMPOTENCY_KEY=probe.id, ACCEPT=TEXT).data
    assert first.startswith(b"hello\n")
    assert remote.run(probe, IDEMPOTENCY_KEY=probe.id, ACCEPT=TEXT).data == first
    received = list(events(remote.run(probe, IDEMPOTENCY_KEY=probe.id, ACCEPT=EVENTS)))
    assert output(received, "stdout").encode() == first
    assert len(probe.processes) == 1
