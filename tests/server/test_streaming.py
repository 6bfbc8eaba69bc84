from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for

from airflow_remote_server.streaming import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deeds import Deed
    from remote import Remote
    from werkzeug.test import TestResponse

    Make = Callable[..., Deed]

pytestmark = pytest.mark.slow

TEXT, EVENTS = "text/plain", "application/x-ndjson"


def events(response: TestResponse) -> Iterator[dict[str, Any]]:
    """The events of a response, as they come."""
    rest = b""
    for piece in response.iter_encoded():
        *lines, rest = (rest + piece).split(b"\n")
        yield from (json.loads(line) for line in lines)
    assert rest == b"", "every event ends its line"


def output(said: list[dict[str, Any]], stream: str) -> str:
    """What was printed to a stream."""
    return "".join(each["data"] for each in said if each["event"] == "output" and each["stream"] == stream)


def test_text_is_stdout_as_it_comes(remote: Remote, make_deed: Make) -> None:
    from airflow import __version__

    response = remote("version", ACCEPT=TEXT)
    assert (response.status_code, response.text) == (200, f"{__version__}\n")
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert remote.job(response.headers["Location"].rpartition("/")[2])["state"] == "succeeded"
    both = remote.run(make_deed("both"), ACCEPT=TEXT).text
    assert "to stdout" in both
    assert "to stderr" not in both


def test_text_comes_while_the_command_runs(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("wait")
    response = remote.run(deed, ACCEPT=TEXT, buffered=False)
    pieces = response.iter_encoded()
    assert next(pieces) == b"begun\n"
    deed.go()
    assert b"".join(pieces).startswith(b"done\n")
    response.close()


def test_a_command_that_fails_before_it_prints_has_a_status(remote: Remote, make_deed: Make) -> None:
    response = remote.run(make_deed("exit", 7), ACCEPT=TEXT)
    assert (response.status_code, response.text) == (422, "the command ended with exit code 7\n")


def test_text_that_is_not_all_of_it_ends_with_an_error(remote: Remote, make_deed: Make) -> None:
    response = remote.run(make_deed("wait"), ACCEPT=TEXT, PREFER="wait=2", buffered=False)
    pieces = response.iter_encoded()
    assert next(pieces) == b"begun\n"
    with pytest.raises(Unfinished):  # on which a server closes the connection without the end of the body
        list(pieces)
    response.close()


@pytest.mark.parametrize("media", [TEXT, EVENTS])
def test_a_command_that_never_falls_silent_is_followed_no_longer(
    remote: Remote, make_deed: Make, media: str
) -> None:
    response = remote.run(make_deed("chatter"), ACCEPT=media, PREFER="wait=1", buffered=False)
    begun = time.monotonic()
    if media == TEXT:
        with pytest.raises(Unfinished):
            list(response.iter_encoded())
    else:
        assert [*events(response)][-1]["event"] == "unfinished"
    assert time.monotonic() < begun + 10
    response.close()


def test_text_of_which_there_is_none_yet_is_a_202(remote: Remote, make_deed: Make) -> None:
    response = remote.run(make_deed("wait"), ACCEPT=TEXT, PREFER="respond-async")
    assert response.status_code == 202
    assert response.json["job"]["state"] in ("queued", "running")


def test_a_request_that_is_refused_is_json_all_the_same(remote: Remote) -> None:
    for media in (TEXT, EVENTS):
        response = remote("list_tasks", ACCEPT=media)
        assert (response.status_code, response.json["error"]["type"]) == (400, "BadArguments")


def test_events_tell_a_jobs_life(remote: Remote, make_deed: Make) -> None:
    response = remote.run(make_deed("both"), ACCEPT=EVENTS)
    assert (response.status_code, response.content_type) == (200, EVENTS)
    said = list(events(response))
    assert [each["event"] for each in said][:1] == ["started"]
    assert [each["event"] for each in said].count("finished") == 1
    job_id = said[0]["job"]["id"]
    assert output(said, "stdout").startswith("to stdout\n")
    assert "to stderr\n" in output(said, "stderr")
    envelope = said[-1]["envelope"]
    assert (envelope["status"], envelope["http_response_code"], envelope["job"]["id"]) == ("OK", 200, job_id)
    assert envelope["stdout"] == output(said, "stdout")
    assert envelope["stderr"] == output(said, "stderr")


def test_events_come_while_the_command_runs(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("wait")
    response = remote.run(deed, ACCEPT=EVENTS, buffered=False)
    coming = events(response)
    assert next(coming)["event"] == "started"
    assert next(coming) == {"event": "output", "stream": "stdout", "data": "begun\n"}
    deed.go()
    assert list(coming)[-1]["envelope"]["exit_code"] == 0
    response.close()


def test_the_last_event_of_a_failure_has_its_envelope(remote: Remote, make_deed: Make) -> None:
    said = list(events(remote.run(make_deed("exit", 7), ACCEPT=EVENTS)))
    envelope = said[-1]["envelope"]
    assert (envelope["http_response_code"], envelope["exit_code"]) == (422, 7)
    assert envelope["error"]["type"] == "CommandFailed"


def test_events_of_a_command_that_goes_on_end_with_its_job(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("wait")
    said = list(events(remote.run(deed, ACCEPT=EVENTS, PREFER="wait=1")))
    assert (said[0]["event"], said[-1]["event"]) == ("started", "unfinished")
    assert said[-1]["job"]["state"] == "running"


def test_something_is_said_while_nothing_is_printed(
    remote: Remote, make_deed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_remote_server.streaming.ALIVE_SECONDS", 0.2)
    said = list(events(remote.run(make_deed("wait"), ACCEPT=EVENTS, PREFER="wait=2")))
    assert [each["event"] for each in said].count("alive") >= 3


def test_a_character_that_comes_in_halves_is_one(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("half")
    response = remote.run(deed, ACCEPT=EVENTS, buffered=False)
    coming = events(response)
    assert next(coming)["event"] == "started"
    assert next(coming)["data"] == "a"
    threading.Timer(0.1, deed.go).start()
    assert output([*coming], "stdout").startswith("\u00e9")
    response.close()


def test_what_is_printed_is_there_within_100_ms(remote: Remote, make_deed: Make) -> None:
    took = []
    for _ in range(5):
        deed = make_deed("wait")
        response = remote.run(deed, ACCEPT=TEXT, buffered=False)
        pieces = response.iter_encoded()
        assert next(pieces) == b"begun\n"
        deed.go()
        begun = time.monotonic()
        assert next(pieces).startswith(b"done\n")
        took.append(time.monotonic() - begun)
        response.close()
    assert min(took) < 0.1


def test_a_client_that_hangs_up_does_not_end_the_command(
    make_remote: Any, shared_state: Path, make_deed: Make
) -> None:
    deed, remote = make_deed("wait"), make_remote(state_dir=shared_state)
    response = remote.run(deed, ACCEPT=EVENTS, buffered=False)
    coming = events(response)
    job_id = next(coming)["job"]["id"]
    wait_for(lambda: deed.processes)
    response.close()
    deed.go()
    assert make_remote(state_dir=shared_state).end(job_id)["state"] == "succeeded"


def test_a_repetition_gets_the_whole_stream(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("say", "hello")
    first = remote.run(deed, IDEMPOTENCY_KEY=deed.id, ACCEPT=TEXT).data
    assert first.startswith(b"hello\n")
    assert remote.run(deed, IDEMPOTENCY_KEY=deed.id, ACCEPT=TEXT).data == first
    said = list(events(remote.run(deed, IDEMPOTENCY_KEY=deed.id, ACCEPT=EVENTS)))
    assert output(said, "stdout").encode() == first
    assert len(deed.processes) == 1
