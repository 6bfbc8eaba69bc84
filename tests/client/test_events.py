from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stub import STARTED, UNFINISHED, event, finished, job, printed

from airflow_remote import transport
from airflow_remote.errors import NotTheApiError
from airflow_remote.events import Finished, Output, Started, Unfinished, events

TEXT = st.text(max_size=20) | st.sampled_from(["\n", "\r\n", "\u2028", "é", "🙂", "\ufffd", "\0"])
OUTPUT = st.builds(Output, st.sampled_from(["stdout", "stderr"]), TEXT)


def parsed(*pieces):
    return list(events("http://x", pieces))


def cut(data, borders):
    """Bytes in pieces, between borders that may be anywhere."""
    places = sorted({min(border, len(data)) for border in borders} | {0, len(data)})
    return [data[begin:end] for begin, end in zip(places, places[1:])]


def test_a_command_s_life_is_four_kinds_of_events():
    lines = [STARTED, printed("a\n"), printed("b", "stderr"), event(event="alive"), finished(output="a")]
    started, out, err, end = parsed(b"".join(lines))
    assert started == Started(job())
    assert (out, err) == (Output("stdout", "a\n"), Output("stderr", "b"))
    assert isinstance(end, Finished)
    assert end.envelope["output"] == "a"
    assert parsed(UNFINISHED) == [Unfinished(job())]


@given(said=st.lists(OUTPUT, max_size=8), borders=st.lists(st.integers(0, 600), max_size=20))
def test_the_same_events_come_wherever_the_stream_is_cut(said, borders):
    data = b"".join(
        json.dumps({"event": "output", "stream": stream, "data": text}, ensure_ascii=False).encode() + b"\n"
        for stream, text in said
    )
    assert parsed(*cut(data, borders)) == said


@given(said=st.lists(OUTPUT, min_size=1, max_size=4), lost=st.integers(1, 60))
def test_a_line_that_breaks_off_is_no_event(said, lost):
    data = b"".join(printed(text, stream) for stream, text in said)
    whole = data[: len(data) - lost].count(b"\n")
    assert parsed(data[: max(0, len(data) - lost)]) == said[:whole]


@pytest.mark.parametrize("said", [{"event": "alive"}, {"event": "progress", "percent": 5}, {"event": ""}])
def test_what_is_not_known_is_passed_over(said):
    assert parsed(event(**said), b"\n", b"  \r\n", printed("a")) == [Output("stdout", "a")]


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"\xff",
        b"[" * 100_000,
        b"9" * 5000,
        b"[]",
        b"{}",
        b'{"event": 1}',
        b'{"event": "started"}',
        b'{"event": "started", "job": {"id": 1, "state": "running", "kind": "command"}}',
        b'{"event": "started", "job": {"id": "../x", "state": "running", "kind": "command"}}',
        b'{"event": "unfinished", "job": {"id": "x"}}',
        b'{"event": "output", "stream": "stdin", "data": ""}',
        b'{"event": "output", "stream": "stdout", "data": 1}',
        b'{"event": "finished"}',
    ],
    ids=lambda line: line[:60].decode("latin-1"),
)
def test_a_line_that_is_no_event_is_not_the_api_s(line):
    with pytest.raises(NotTheApiError, match="events that cannot be understood"):
        parsed(STARTED, line + b"\n")


@given(data=st.binary(max_size=80) | st.text(max_size=20).map(lambda text: event(event=text)))
def test_any_bytes_are_events_or_refused(data):
    try:
        found = parsed(data)
    except NotTheApiError as error:
        assert str(error)
    else:
        assert all(isinstance(one, (Started, Output, Finished, Unfinished)) for one in found)


def test_a_line_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)

    def endless():
        while True:
            yield b" " * 300

    with pytest.raises(NotTheApiError, match="over 1000 bytes in a line"):
        list(events("http://x", endless()))
