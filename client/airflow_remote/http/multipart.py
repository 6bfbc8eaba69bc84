"""Encode a command's arguments as a request body: JSON, or a multipart form if there is a file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Union

from airflow_remote.errors import UnusableError
from airflow_remote.local_files import Upload, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import ExitStack

    from airflow_remote.local_files import Progress

Value = Union[None, str, bool, int, float, "Mapping[str, Any]", "Sequence[Any]", "os.PathLike[str]"]
"""A text, a number, a flag, JSON, a list of values, or the path of a file to send. None is not sent."""


class Multipart:
    """A multipart/form-data body (RFC 7578), generated while it is sent.

    :param fields: names and values, in order
    :param uploads: names and files, in order
    """

    def __init__(self, fields: Sequence[tuple[str, str]], uploads: Sequence[tuple[str, Upload]]) -> None:
        self.boundary = os.urandom(16).hex()
        parts: list[bytes | Upload] = []
        for name, value in fields:
            parts += [self._head(name), value.encode(), b"\r\n"]
        for name, upload in uploads:
            parts += [self._head(name, upload.path.name), upload, b"\r\n"]
        self._parts = [*parts, f"--{self.boundary}--\r\n".encode()]

    @property
    def content_type(self) -> str:
        """Return the value of the ``Content-Type`` header."""
        return f"multipart/form-data; boundary={self.boundary}"

    def __len__(self) -> int:
        """Return the size in bytes; without it, requests would use chunks, which not every server accepts."""
        return sum(part.size if isinstance(part, Upload) else len(part) for part in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, Upload):
                yield from part
            else:
                yield part

    def _head(self, name: str, filename: str | None = None) -> bytes:
        disposition = f'form-data; name="{_quote(name)}"'
        content_type = ""
        if filename is not None:
            disposition += f'; filename="{_quote(filename)}"'
            content_type = "Content-Type: application/octet-stream\r\n"
        lines = f"--{self.boundary}\r\nContent-Disposition: {disposition}\r\n{content_type}\r\n"
        return lines.encode("utf-8", "surrogateescape")


Body = Union[bytes, Multipart]


def encode_arguments(
    arguments: Mapping[str, Value], files: ExitStack, progress: Progress = no_progress
) -> tuple[Body, str]:
    """Encode arguments as a request body.

    :param arguments: values by name; None is not sent
    :param files: closes the opened files
    :param progress: reports how many bytes of a file were sent
    :returns: the body and its content type
    :raises UnusableError: if a value cannot be sent, or a file does not exist
    :raises LocalFileError: if a file cannot be read
    """
    values = {name: value for name, value in arguments.items() if value is not None}
    paths = {name: value for name, value in values.items() if isinstance(value, os.PathLike)}
    fields: list[tuple[str, str]] = []
    for name, value in values.items():
        if name not in paths:
            fields += [(name, _text(name, item)) for item in _items(value)]
    if not paths:
        return json.dumps(values).encode(), "application/json"
    uploads = [(name, files.enter_context(Upload(path, progress))) for name, path in paths.items()]
    form = Multipart(fields, uploads)
    return form, form.content_type


def _items(value: Value) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _text(name: str, value: Any) -> str:
    """Return a value as a form field: a text as it is, anything else as JSON.

    :param name: the argument name, for the message
    :raises UnusableError: if it cannot be sent
    """
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UnusableError(f"{name!r} is not valid UTF-8") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableError(f"{name!r} cannot be sent as JSON: {error}") from None
    return text


def _quote(name: str) -> str:
    """Quote a name for a header as browsers do (WHATWG HTML, multipart/form-data encoding)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
