from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.execution import protocol

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MESSAGES = st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4)


@given(MESSAGES, st.lists(st.integers(1, 20), min_size=1))
def test_frames_may_arrive_in_pieces_of_any_size(messages: list[dict[str, object]], sizes: list[int]) -> None:
    data = b"".join(protocol.encode_frame(message) for message in messages)
    decoder, decoded = protocol.Decoder(), []
    position = turn = 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        decoded += decoder.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    assert decoded == messages


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff", b"\0\0\0\1x", b"\0\0\0\2[]", b"\0\0\0\0", b"\0\0\0\1\xff"]
)
def test_invalid_frame_raises_an_error(data: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.Decoder().feed(data)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_messages_or_raise_an_error(data: bytes) -> None:
    try:
        messages = protocol.Decoder().feed(data)
    except protocol.ProtocolError:
        return
    assert all(isinstance(message, dict) for message in messages)


def test_message_that_is_too_long_raises_an_error() -> None:
    with pytest.raises(protocol.ProtocolError, match="frame of"):
        protocol.encode_frame({"x": "x" * protocol.MAX_FRAME_BYTES})


def test_peer_is_recognized_by_its_user_id() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert protocol.peer_has_uid(ours, os.getuid())
        assert not protocol.peer_has_uid(ours, os.getuid() + 1)
