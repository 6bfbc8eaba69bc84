"""Durations, tables and cleaned lines of logs."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.cli.live_table import LiveBlock, cut, paint, width_of
from airflow_remote.cli.run_display import clean_lines, table
from airflow_remote.cli.run_texts import find_reason, format_seconds, parse_duration, seconds_since, summarize
from client.fake_runs import dag_run, task


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5s", 1.5), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("2D", 172_800)],
)
def test_durations_are_parsed(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@given(st.text())
def test_other_texts_are_no_durations(text: str) -> None:
    try:
        assert parse_duration(text) > 0
    except ValueError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3900, "1 h 05 min")],
)
def test_durations_are_formatted(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize("value", [None, True, "1", -1, float("nan"), float("inf"), 1e300])
def test_impossible_durations_are_empty(value: Any) -> None:
    assert format_seconds(value) == ""


def test_times_without_a_zone_are_unknown() -> None:
    assert seconds_since("2026-01-01T00:00:00") is None
    assert seconds_since("soon") is None
    assert seconds_since("2026-01-01T00:00:00Z") is not None


@pytest.mark.parametrize("end", ["", "\x07", "\x1b\\", "\x9c"])
def test_a_title_of_the_terminal_hides_no_lines(end: str) -> None:
    assert clean_lines(f"a\n\x1b]0;title{end}\nreason\n") == ["a", "", "reason"]


@given(st.text())
def test_lines_of_logs_have_no_control_characters(text: str) -> None:
    for line in clean_lines(text):
        assert not any(char < " " and char != "\t" for char in line)
        assert "\x1b" not in line
        assert "\x9b" not in line


@given(st.text(st.characters(exclude_categories=["C"])), st.integers(0, 20))
def test_lines_are_cut_to_the_width_of_the_terminal(text: str, width: int) -> None:
    shown = cut(text, width)
    assert text.startswith(shown)
    assert sum(map(width_of, shown)) <= width


def test_colors_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert cut(paint("abc", "red"), 2) == "\x1b[31mab\x1b[0m"
    assert cut(paint("abc", "red"), 3) == paint("abc", "red")
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("abc", "red") == "abc"


def test_a_block_replaces_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((5, 3)))
    written: list[str] = []
    block = LiveBlock(written.append)
    block.draw(["abcdef", "b", "c"])
    block.draw(["x"])
    block.erase()
    block.erase()
    assert written == ["abcd\nb\n", "\x1b[2A\r\x1b[Jx\n", "\x1b[1A\r\x1b[J"]


def test_a_long_table_shows_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    states = ["success"] * 50 + ["running", "failed"] + [None] * 50
    tasks = [task("t", state, map_index=index) for index, state in enumerate(states)]
    lines = table(dag_run("running", *tasks), 6)
    assert len(lines) == 6
    assert [line.split()[1] for line in lines[1:-1]] == ["t[0]", "t[1]", "t[50]", "t[51]"]
    assert lines[-1] == "  ... and 50 not started, 48 success"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("a\nValueError: no data\n[t] INFO - ::endgroup::\n", "ValueError: no data"),
        ("x.y.AirflowFailException: it\nbroke\n", "x.y.AirflowFailException: it"),
        ("[t] ERROR - it broke\n[t] INFO - end\n", "[t] ERROR - it broke"),
        ("a\nb\n\n", "b"),
        ("", ""),
    ],
)
def test_the_reason_is_found_in_a_log(log: str, reason: str) -> None:
    assert find_reason(log) == reason


@given(st.text())
def test_a_reason_is_one_line(log: str) -> None:
    assert find_reason(log).isprintable()


@given(st.text(), st.text(), st.sampled_from([None, "success", "running"]))
def test_a_summary_is_one_line(run_id: str, task_id: str, state: str | None) -> None:
    run = dag_run("failed", task(task_id, state), run_id=run_id)
    assert summarize(run).isprintable()
    assert all(line.replace("\x1b", "").isprintable() for line in table(run, 5))
