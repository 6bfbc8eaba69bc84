"""Test how the output of commands becomes part of a reply."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.http.replies import parse_output


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none())))
def test_json_output_is_parsed(rows: list[dict[str, object]]) -> None:
    assert parse_output(json.dumps(rows) + "\n") == rows


@pytest.mark.parametrize(
    "text", ["", "No data found\n", "[NaN]", "[1e999]", "[" * 100_000, "[" * 150 + "]" * 150]
)
def test_output_that_is_not_strict_json_is_none(text: str) -> None:
    """A DAG's own code may print anything to stdout."""
    assert parse_output(text) is None
