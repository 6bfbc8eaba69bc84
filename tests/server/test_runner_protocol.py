from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.runner import protocol

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MESSAGES = st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4)


@given(MESSAGES, st.lists(st.integers(1, 20), min_size=1))
def test_frames_survive_any_cutting(messages: list[dict[str, object]], sizes: list[int]) -> None:
    data = b"".join(protocol.frame(message) for message in messages)
    decoder, found = protocol.Decoder(), []
    position = turn = 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        found += decoder.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    assert found == messages


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff", b"\0\0\0\1x", b"\0\0\0\2[]", b"\0\0\0\0", b"\0\0\0\1\xff"]
)
def test_bytes_that_are_no_frame_are_refused(data: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.Decoder().feed(data)


@given(st.binary(max_size=100))
def test_no_bytes_do_harm(data: bytes) -> None:
    try:
        found = protocol.Decoder().feed(data)
    except protocol.ProtocolError:
        return
    assert all(isinstance(message, dict) for message in found)


def test_a_message_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(protocol.ProtocolError, match="frame of"):
        protocol.frame({"x": "x" * protocol.LARGEST})


def test_another_user_is_told_from_us() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert protocol.peer_is_us(ours, os.getuid())
        assert not protocol.peer_is_us(ours, os.getuid() + 1)
