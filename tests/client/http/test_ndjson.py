"""The parser of event streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.errors import NotTheApiError
from airflow_remote.http import connection
from airflow_remote.http.ndjson import Event, Finished, Output, Started, Unfinished, parse_events
from client.responses import STARTED, UNFINISHED, event, finished_event, job, output_event

TEXT = st.text(max_size=20) | st.sampled_from(["\n", "\r\n", "\u2028", "é", "🙂", "\ufffd", "\0"])
OUTPUT = st.builds(Output, st.sampled_from(["stdout", "stderr"]), TEXT)


def parse(*pieces: bytes) -> list[Event]:
    return list(parse_events("http://x", pieces))


def split_at(data: bytes, borders: list[int]) -> list[bytes]:
    """Split data at borders, which may be beyond its end."""
    cuts = sorted({min(border, len(data)) for border in borders} | {0, len(data)})
    return [data[begin:end] for begin, end in zip(cuts, cuts[1:])]


def test_all_event_types_are_parsed() -> None:
    lines = [
        STARTED,
        output_event("a\n"),
        output_event("b", "stderr"),
        event(event="alive"),
        finished_event(output="a"),
    ]
    started, out, err, end = parse(b"".join(lines))
    assert started == Started(job())
    assert (out, err) == (Output("stdout", "a\n"), Output("stderr", "b"))
    assert isinstance(end, Finished)
    assert end.envelope["output"] == "a"
    assert parse(UNFINISHED) == [Unfinished(job())]


@given(events=st.lists(OUTPUT, max_size=8), borders=st.lists(st.integers(0, 600), max_size=20))
def test_events_do_not_depend_on_chunk_boundaries(events: list[Output], borders: list[int]) -> None:
    data = b"".join(
        json.dumps({"event": "output", "stream": stream, "data": text}, ensure_ascii=False).encode() + b"\n"
        for stream, text in events
    )
    assert parse(*split_at(data, borders)) == events


@given(events=st.lists(OUTPUT, min_size=1, max_size=4), lost=st.integers(1, 60))
def test_incomplete_last_line_is_ignored(events: list[Output], lost: int) -> None:
    data = b"".join(output_event(text, stream) for stream, text in events)
    whole = data[: len(data) - lost].count(b"\n")
    assert parse(data[: max(0, len(data) - lost)]) == events[:whole]


@pytest.mark.parametrize("fields", [{"event": "alive"}, {"event": "progress", "percent": 5}, {"event": ""}])
def test_unknown_events_are_skipped(fields: dict[str, Any]) -> None:
    assert parse(event(**fields), b"\n", b"  \r\n", output_event("a")) == [Output("stdout", "a")]


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
def test_invalid_event_line_is_rejected(line: bytes) -> None:
    with pytest.raises(NotTheApiError, match="an invalid event"):
        parse(STARTED, line + b"\n")


@given(data=st.binary(max_size=80) | st.text(max_size=20).map(lambda text: event(event=text)))
def test_any_bytes_are_parsed_or_rejected(data: bytes) -> None:
    try:
        parsed = parse(data)
    except NotTheApiError as error:
        assert str(error)
    else:
        assert all(isinstance(item, (Started, Output, Finished, Unfinished)) for item in parsed)


def test_oversized_line_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_RESPONSE_BYTES", 1000)

    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 300

    with pytest.raises(NotTheApiError, match="over 1000 bytes in a line"):
        list(parse_events("http://x", endless()))
