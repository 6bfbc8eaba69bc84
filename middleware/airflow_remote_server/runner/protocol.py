"""How a web worker and the warm host talk: one command a connection, over a Unix socket.

Both directions carry frames: four bytes, the length in network order, then as many of JSON.

=========  =============================================================================================
worker     ``{"version": 2, "run": FOLDER}``; the folder has all that is to be known
host       ``{"taken": true}``: it will be run, whatever becomes of the worker
host       ``{"end": {"exit_code": 0, "reason": "", "ended": 1795378000.0}}``, as in ``exit.json``
=========  =============================================================================================

When a host ends before it has taken a command, somebody else runs it; a folder's claim keeps it from being
run twice. When it ends later, somebody else adopts it (``keeper``).
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

VERSION = 2
HEADER = struct.Struct("!I")
LARGEST = 1 << 16
"""Bytes of a frame: more than a path needs."""


class ProtocolError(Exception):
    """Raised for bytes that are no frame of ours; the connection is of no use then."""


def frame(message: dict[str, Any]) -> bytes:
    """Encode a message.

    :raises ProtocolError: when it is too large
    """
    body = json.dumps(message).encode()
    if len(body) > LARGEST:
        raise ProtocolError(f"a frame of {len(body)} bytes")
    return HEADER.pack(len(body)) + body


class Decoder:
    """Collects bytes, and gives the messages that are whole."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes.

        :returns: the messages that they completed
        :raises ProtocolError: when they are no frames
        """
        self._data += data
        messages = []
        while len(self._data) >= HEADER.size:
            [size] = HEADER.unpack_from(self._data)
            if size > LARGEST:
                raise ProtocolError(f"a frame of {size} bytes")
            end = HEADER.size + size
            if len(self._data) < end:
                break
            try:
                message = json.loads(self._data[HEADER.size : end])
            except ValueError as error:
                raise ProtocolError(str(error)) from None
            if not isinstance(message, dict):
                raise ProtocolError("a frame that is no object")
            messages.append(message)
            del self._data[:end]
        return messages


def peer_is_us(connection: socket.socket, uid: int) -> bool:
    """Whether the other end runs as this user (Linux: SO_PEERCRED; elsewhere the folder's mode has to do)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, peer, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return bool(peer == uid)
