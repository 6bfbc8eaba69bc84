"""Data from the API's responses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")

ACTIVE_STATES = ("queued", "running")
"""The states of a job that has not ended."""


class RemoteFile(NamedTuple):
    """A file written by a command.

    :param name: relative path, such as ``a/b.yml``
    :param size: bytes
    """

    name: str
    size: int


@dataclass(frozen=True)
class Result:
    """A response of the API to a command.

    :param envelope: the full JSON object
    :param http_status: HTTP status
    :param retry_after: value of the ``Retry-After`` header; "" if there is none
    """

    envelope: Mapping[str, Any]
    http_status: int
    retry_after: str = ""

    @property
    def index(self) -> int | None:
        """Return the position of the command in its batch, from 0; None if it is not part of a batch."""
        index = self.envelope.get("index")
        return index if is_exit_code(index) else None

    @property
    def output(self) -> str:
        """Return the command's text; on failure, the error message."""
        return str(self.envelope["output"])

    @property
    def stdout(self) -> str | None:
        """Return what the command printed; None if the server ran no command."""
        return self.envelope.get("stdout")

    @property
    def stderr(self) -> str | None:
        """Return what the command printed to standard error; None if the server ran no command."""
        return self.envelope.get("stderr")

    @property
    def exit_code(self) -> int | None:
        """Return the exit code; the negative signal number if a signal ended the command; None if none."""
        return self.envelope.get("exit_code")

    @property
    def result(self) -> Any:
        """Return the command's output as parsed JSON; None if it printed no JSON."""
        return self.envelope.get("result")

    @property
    def dag_run_id(self) -> str | None:
        """Return the id of the triggered DAG run."""
        return self.envelope.get("dag_run_id")

    @property
    def warning(self) -> str | None:
        """Return the warning about a command that succeeded; None if there is none."""
        return self.envelope.get("warning")

    @property
    def job(self) -> Mapping[str, Any] | None:
        """Return the command's job on the server: ``id``, ``state``, ``kind``, ...; None if it has none."""
        job = self.envelope.get("job")
        return job if is_job_document(job) else None

    @property
    def files(self) -> list[RemoteFile]:
        """Return the files that the command wrote on the server; see ``Job.download``.

        :raises ValueError: if the envelope was not validated by ``api.result`` and its ``files`` are invalid
        """
        return parse_files(self.envelope.get("files")) if self.job is not None else []

    @property
    def ok(self) -> bool:
        """Return whether the command succeeded or was started, or is a service that was stopped."""
        was_stopped = self.job is not None and self.job.get("state") == "stopped"  # a service, by a signal
        success = self.envelope["status"] == "OK" and self.http_status < 300
        return success and (was_stopped or not self.exit_code)


def is_job_document(document: Any) -> bool:
    """Return whether a JSON document is a job: all required fields, and no used field of a wrong type."""
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        return False
    texts = (document.get("state"), document.get("kind"), document.get("message") or "")
    valid = JOB_ID.fullmatch(document["id"]) and all(isinstance(text, str) for text in texts)
    return bool(valid) and is_exit_code(document.get("exit_code"))


def is_exit_code(value: Any) -> bool:
    """Return whether a JSON value can be an exit code; None means no exit code."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def parse_files(document: Any) -> list[RemoteFile]:
    """Parse the ``files`` of an envelope or a job.

    :param document: the value of ``files``; None if there is none
    :raises ValueError: if it has another shape, or a name could lead out of a directory
    """
    if document is None:
        return []
    entries = document if isinstance(document, list) else [document]
    files = []
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        size = entry.get("size") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise ValueError("the server lists files in an unknown format")
        if not is_safe_path(name):
            raise ValueError(f"the server lists a file with an unsafe name: {name[:80]!r}")
        files.append(RemoteFile(name, size))
    return files


def is_safe_path(name: str) -> bool:
    """Return whether a relative path stays inside the directory it is joined to."""
    parts = name.split("/")
    return all(part not in ("", ".", "..") for part in parts) and name.isprintable() and "\\" not in name
