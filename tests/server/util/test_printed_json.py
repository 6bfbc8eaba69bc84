"""The JSON document that a command printed is found whatever else was printed."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.util.printed_json import find_document

ROWS = st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.lists(st.text())))
PRINTED = st.lists(st.text().filter(lambda text: "[" not in text))
"""What code of a DAG may print: anything that is no list itself."""


@given(ROWS, PRINTED, PRINTED)
def test_rows_are_found_amid_other_lines(rows: list[Any], before: list[str], after: list[str]) -> None:
    text = "\n".join([*before, json.dumps(rows), *after])
    assert find_document(text) == rows


@given(ROWS, st.text().filter(lambda text: "[" not in text))
def test_rows_are_found_behind_text_without_a_line_break(rows: list[Any], before: str) -> None:
    assert find_document(f"{before}{json.dumps(rows)}\n") == rows


@given(ROWS.filter(bool), st.text().filter(lambda text: "[" not in text))
def test_rows_are_found_on_several_lines(rows: list[Any], before: str) -> None:
    assert find_document(f"{before}\n{json.dumps(rows, indent=2)}\nend\n") == rows


@given(st.lists(st.integers()) | st.dictionaries(st.text(), st.text()))
def test_whole_output_may_be_any_array_or_object(document: Any) -> None:
    assert find_document(f"\n{json.dumps(document)}\n") == document


@given(st.text(st.sampled_from('[]{}",:0 \n\\a')) | st.text())
def test_any_text_gives_an_array_an_object_or_none(text: str) -> None:
    assert isinstance(find_document(text), (list, dict, type(None)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No data found\n",
        "[NaN]",
        "[1e999]",
        "[" * 100_000,
        "[" * 150 + "]" * 150,
        "5",
        "done: [1, 2]",
        '{"a": 1}\nx',
    ],
)
def test_output_that_is_not_strict_json_is_none(text: str) -> None:
    """A DAG's own code may print anything to stdout."""
    assert find_document(text) is None


def test_last_rows_win() -> None:
    assert find_document('[{"printed": "by a DAG"}]\n[{"dag_id": "a"}]\n{}\n') == [{"dag_id": "a"}]


@pytest.mark.parametrize(
    "unit",
    ["[", "]", "[{", '[{"', "[]\n", "[x]\n", "]\n", "[\n", '{"a":', '[{"a":1},', "[{}]x]", '"\n', "\n"],
)
def test_work_on_hostile_output_is_bounded(unit: str) -> None:
    text = (unit * (1 << 24))[: 1 << 24]
    began = time.process_time()
    for end in ("", "]", "\n]", "x"):
        find_document(text + end)
    assert time.process_time() - began < 60, "some seconds, even on a slow machine"
