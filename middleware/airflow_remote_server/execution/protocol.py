"""The protocol between web workers and the fork server: one command per connection, over a Unix socket.

Both sides send frames: the length in four bytes, in network byte order, then JSON of that length.

===========  ===========================================================================================
worker       ``{"version": 2, "run": DIRECTORY}``: the directory of a prepared spool
fork server  ``{"taken": true}``: the command will run, even if the worker is gone
fork server  ``{"end": {"exit_code": 0, "reason": "", "ended": 1795378000.0}}``, as in ``exit.json``
===========  ===========================================================================================

If a fork server ends before it takes a command, another supervisor runs the command; the claim of the spool
prevents a second run. If it ends later, another supervisor adopts the command (``supervisor``).
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

VERSION = 2
HEADER = struct.Struct("!I")
MAX_FRAME_BYTES = 1 << 16
"""Maximum size of a frame; a path is shorter."""


class ProtocolError(Exception):
    """Raised for invalid bytes; the connection must be closed."""


def encode_frame(message: dict[str, Any]) -> bytes:
    """Encode a message.

    :raises ProtocolError: if it is too large
    """
    body = json.dumps(message).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise ProtocolError(f"frame of {len(body)} bytes")
    return HEADER.pack(len(body)) + body


class Decoder:
    """Collects bytes and returns complete messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Add received bytes.

        :returns: the messages that they complete
        :raises ProtocolError: if they are not frames
        """
        self._data += data
        messages = []
        while len(self._data) >= HEADER.size:
            [size] = HEADER.unpack_from(self._data)
            if size > MAX_FRAME_BYTES:
                raise ProtocolError(f"frame of {size} bytes")
            end = HEADER.size + size
            if len(self._data) < end:
                break
            try:
                message = json.loads(self._data[HEADER.size : end])
            except ValueError as error:
                raise ProtocolError(str(error)) from None
            if not isinstance(message, dict):
                raise ProtocolError("frame without an object")
            messages.append(message)
            del self._data[:end]
        return messages


def peer_has_uid(connection: socket.socket, uid: int) -> bool:
    """Return whether the other end runs as the given user.

    Linux provides its user (SO_PEERCRED); elsewhere, the mode of the directory must suffice.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, peer, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return bool(peer == uid)
