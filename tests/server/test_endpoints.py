"""What answers say of what commands have printed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.endpoints import parsed


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none())))
def test_what_a_command_prints_as_json_is_the_result(rows: list[dict[str, object]]) -> None:
    assert parsed(json.dumps(rows) + "\n") == rows


@pytest.mark.parametrize(
    "text", ["", "No data found\n", "[NaN]", "[1e999]", "[" * 100_000, "[" * 150 + "]" * 150]
)
def test_what_no_answer_can_hold_is_none(text: str) -> None:
    """A DAG's own code may print anything to where the JSON goes."""
    assert parsed(text) is None
