"""The arguments of a command as the body of a request: JSON, or a multipart form when a file is sent."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Union

from airflow_remote.errors import UnusableError
from airflow_remote.files import Upload
from airflow_remote.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import ExitStack

    from airflow_remote.progress import Progress

Value = Union[None, str, bool, int, float, "Mapping[str, Any]", "Sequence[Any]", "os.PathLike[str]"]
"""A text, a number, a flag, JSON, several values, or the path of a file to send. None: not given."""


class Multipart:
    """A multipart/form-data body (RFC 7578) that is made while it is sent.

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
        """For the header."""
        return f"multipart/form-data; boundary={self.boundary}"

    def __len__(self) -> int:
        """Bytes of the body; without a length it would be sent in chunks, which not every server takes."""
        return sum(part.size if isinstance(part, Upload) else len(part) for part in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, Upload):
                yield from part
            else:
                yield part

    def _head(self, name: str, filename: str | None = None) -> bytes:
        said = f'form-data; name="{_quoted(name)}"'
        kind = ""
        if filename is not None:
            said += f'; filename="{_quoted(filename)}"'
            kind = "Content-Type: application/octet-stream\r\n"
        lines = f"--{self.boundary}\r\nContent-Disposition: {said}\r\n{kind}\r\n"
        return lines.encode("utf-8", "surrogateescape")


Body = Union[bytes, Multipart]


def encode(arguments: Mapping[str, Value], files: ExitStack, progress: Progress = silent) -> tuple[Body, str]:
    """Make a body, and say what type it is.

    :param arguments: by name; what is None is not sent
    :param files: gets the files that are opened, to close them
    :param progress: sees the files go
    :raises UnusableError: when a value cannot be sent, or a file is not there
    :raises LocalFileError: when a file cannot be read
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    paths = {name: value for name, value in given.items() if isinstance(value, os.PathLike)}
    fields: list[tuple[str, str]] = []
    for name, value in given.items():
        if name not in paths:
            fields += [(name, _text(name, item)) for item in _items(value)]
    if not paths:
        return json.dumps(given).encode(), "application/json"
    uploads = [(name, files.enter_context(Upload(path, progress))) for name, path in paths.items()]
    form = Multipart(fields, uploads)
    return form, form.content_type


def _items(value: Value) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _text(name: str, value: Any) -> str:
    """A value as the text of a form field: itself, or JSON.

    :param name: the argument, for the message
    :raises UnusableError: when it cannot be sent, in JSON or a form
    """
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UnusableError(f"{name!r} is not valid UTF-8") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableError(f"{name!r} cannot be sent as JSON: {error}") from None
    return text


def _quoted(name: str) -> str:
    """A name in a header, as browsers write it (WHATWG HTML, multipart/form-data encoding)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
