"""Write to standard output and standard error, byte for byte.

A command's output is written as UTF-8 in any locale, with its own line endings, so the text layer of
``sys.stdout`` is not used. A message of the program itself starts on a new line with ``airflow-remote:``.
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
"""Holds standard error while its last line has no line ending."""


def to_stdout(text: str) -> None:
    """Write to standard output.

    :param text: the text; a lone surrogate, which UTF-8 cannot encode, becomes ``\\udc80``
    :raises ClosedPipeError: if the reader has exited
    :raises LocalFileError: if it cannot be written, for example because the disk is full
    """
    _write(sys.stdout, text.encode("utf-8", "backslashreplace"), "standard output")


def to_stderr(text: str) -> None:
    """Write to standard error; see ``to_stdout``."""
    _write(sys.stderr, text.encode("utf-8", "backslashreplace"), "standard error")
    if text:
        _unended[:] = [] if text.endswith("\n") else [sys.stderr]


def data(content: bytes, to_stderr: bool = False) -> None:
    """Write bytes to standard output; see ``to_stdout`` for errors.

    :param content: the bytes
    :param to_stderr: whether to write to standard error instead
    """
    if to_stderr:
        _write(sys.stderr, content, "standard error")
        _unended[:] = [] if content.endswith(b"\n") else [sys.stderr]
    else:
        _write(sys.stdout, content, "standard output")


def document(value: Mapping[str, Any]) -> None:
    """Write indented JSON to standard output; see ``to_stdout`` for errors."""
    to_stdout(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def note(message: str) -> None:
    """Print a one-line message of the program to standard error; ignore failures.

    :param message: control characters become spaces, since a text from a server must not control the terminal
    """
    begin = "\n" if sys.stderr in _unended else ""
    with contextlib.suppress(ClosedPipeError, LocalFileError):
        to_stderr(f"{begin}{PROGRAM}: {one_line(message)}\n")


def one_line(text: str) -> str:
    """Replace line breaks and control characters by single spaces."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _write(stream: TextIO | None, content: bytes, name: str) -> None:
    if not content:
        return
    if stream is None:  # closed before Python started
        raise LocalFileError(f"cannot write to {name}: it is closed")
    try:
        stream.flush()
        stream.buffer.write(content)
        stream.buffer.flush()
    except BrokenPipeError:
        discard(stream)
        raise ClosedPipeError(f"the reader of {name} has exited") from None
    except (OSError, ValueError) as error:
        discard(stream)
        reason = getattr(error, "strerror", None) or error
        raise LocalFileError(f"cannot write to {name}: {reason}") from error


def discard(stream: TextIO) -> None:
    """Discard buffered output; otherwise Python would try to write it at exit, and print an error."""
    with contextlib.suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(devnull, stream.fileno())
        finally:
            os.close(devnull)
