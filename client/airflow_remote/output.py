"""Writing to standard output and standard error, byte for byte.

What a command printed goes out as UTF-8 whatever the locale is, and with the line ends that it came with, so
the text layer of ``sys.stdout`` is not used. A line of our own begins with ``airflow-remote:``, and at the
beginning of a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from airflow_remote.errors import ClosedPipeError, LocalFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = "airflow-remote"

_unended: list[TextIO] = []
"""Standard error, while the last line of it has no end."""


def to_stdout(text: str) -> None:
    """Write to standard output.

    :param text: written as it is; a lone surrogate, which UTF-8 does not have, as ``\\udc80``
    :raises ClosedPipeError: when nobody reads it
    :raises LocalFileError: when it cannot be written, as on a full disk
    """
    _write(sys.stdout, text.encode("utf-8", "backslashreplace"), "standard output")


def to_stderr(text: str) -> None:
    """Write to standard error, like ``to_stdout``."""
    _write(sys.stderr, text.encode("utf-8", "backslashreplace"), "standard error")
    if text:
        _unended[:] = [] if text.endswith("\n") else [sys.stderr]


def piece(stream: str, text: str) -> None:
    """Write what a command has printed.

    :param stream: ``stdout`` or ``stderr``; raises what ``to_stdout`` does
    :param text: what
    """
    if stream == "stdout":
        to_stdout(text)
    else:
        to_stderr(text)


def data(content: bytes) -> None:
    """Write bytes to standard output; raises what ``to_stdout`` does."""
    _write(sys.stdout, content, "standard output")


def document(value: Mapping[str, Any]) -> None:
    """Write JSON to standard output, for people and programs; raises what ``to_stdout`` does."""
    to_stdout(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def note(message: str) -> None:
    """Say something of our own on standard error, in one line; nothing is done when nobody can hear it.

    :param message: line ends and other control characters in it become spaces: it may come from a server, and
        must not steer the terminal
    """
    begin = "\n" if sys.stderr in _unended else ""
    with contextlib.suppress(ClosedPipeError, LocalFileError):
        to_stderr(f"{begin}{PROGRAM}: {one_line(message)}\n")


def one_line(text: str) -> str:
    """A text without line ends and control characters, which become single spaces."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _write(stream: TextIO | None, content: bytes, name: str) -> None:
    if not content:
        return
    if stream is None:  # Python's way to say that it was closed before the start
        raise LocalFileError(f"cannot write to {name}: it is closed")
    try:
        stream.flush()
        stream.buffer.write(content)
        stream.buffer.flush()
    except BrokenPipeError:
        discard(stream)
        raise ClosedPipeError(f"nobody reads {name} any more") from None
    except (OSError, ValueError) as error:
        discard(stream)
        reason = getattr(error, "strerror", None) or error
        raise LocalFileError(f"cannot write to {name}: {reason}") from error


def discard(stream: TextIO) -> None:
    """Let what is still in the buffer go nowhere: at its end, Python would try to write it, and complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
