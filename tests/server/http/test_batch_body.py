"""Test how the body of a batch is parsed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.errors import ApiError, TooLarge
from airflow_remote_server.http.batch_body import MAX_COMMAND_BYTES, parse_item, parse_line, split_lines

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
COMMANDS = st.fixed_dictionaries(
    {"command": st.text()}, optional={"arguments": st.dictionaries(st.text(), JSON, max_size=4)}
)


def cut(data: bytes, positions: list[int]) -> list[bytes]:
    """Return the parts of some data, cut at the positions."""
    ends = sorted({position % (len(data) + 1) for position in positions} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(
    st.lists(COMMANDS, max_size=5), st.lists(st.integers(0, 10**6)), st.sampled_from(["\n", "\r\n", "\n\n"])
)
def test_lines_are_the_same_however_the_body_arrives(commands: Any, positions: list[int], end: str) -> None:
    data = "".join(json.dumps(command) + end for command in commands).encode()
    for body in (data, data.rstrip()):
        items = [parse_line(line) for line in split_lines(cut(body, positions))]
        assert [item.name for item in items] == [command["command"] for command in commands]
        for item, command in zip(items, commands, strict=True):
            given_names = {
                name.replace("-", "_")
                for name, value in command.get("arguments", {}).items()
                if value is not None
            }
            assert set(item.arguments) == given_names
            assert item.error is None


@given(st.lists(st.binary()))
def test_any_bytes_give_commands_or_errors(blocks: list[bytes]) -> None:
    for line in split_lines(blocks):
        item = parse_line(line)
        assert item.error is None or isinstance(item.error, ApiError)


@given(JSON)
def test_any_document_gives_a_command_or_an_error(document: Any) -> None:
    item = parse_item(document)
    is_command = isinstance(document, dict) and isinstance(document.get("command"), str)
    assert is_command or item.error is not None
    if item.error is not None:
        assert "\n" not in item.error.message


def test_lines_are_limited_before_they_are_complete() -> None:
    def endless() -> Any:
        while True:
            yield b"x" * 65536

    with pytest.raises(TooLarge, match=str(MAX_COMMAND_BYTES)):
        list(split_lines(endless()))
