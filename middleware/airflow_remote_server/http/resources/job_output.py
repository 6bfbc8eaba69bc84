"""Read a part of a job's output, and wait for more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import BadArguments
from airflow_remote_server.execution.spool import STDERR, STDOUT
from airflow_remote_server.http.preferences import TEXT

if TYPE_CHECKING:
    from airflow_remote_server.http.parameters import Parameters
    from airflow_remote_server.http.waiting import Turn
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService

BLOCK = 1 << 20
"""The maximum number of bytes of output in one response."""

MAX_OFFSET = 1e15

CHARACTER_POLL_SECONDS = 0.05
"""How long to wait for the rest of a character of which only a part has been printed."""


@dataclass(frozen=True)
class OutputRange:
    """The part of a job's output that a request asks for.

    :param stream: ``stdout`` or ``stderr``
    :param offset: where to start, in bytes
    :param wait: the maximum time to wait for output, in seconds
    """

    stream: str
    offset: int
    wait: float

    @classmethod
    def from_parameters(cls, parameters: Parameters, max_wait: float) -> OutputRange:
        """Read ``stream``, ``offset`` and ``wait``.

        :param parameters: the parameters of the request
        :param max_wait: the maximum time that a request may wait, in seconds
        :raises BadArguments: if a value is invalid, or there are other parameters
        """
        stream = parameters.text("stream") or STDOUT
        if stream not in (STDOUT, STDERR):
            raise BadArguments(f"'stream' must be stdout or stderr, not {stream[:40]!r}")
        offset = int(parameters.number("offset", 0, MAX_OFFSET))
        wait = parameters.number("wait", 0, max_wait)
        parameters.reject_unknown()
        return cls(stream, offset, wait)


def read_output(
    jobs: JobService, job: Job, part: OutputRange, media: str, turn: Turn
) -> tuple[bytes | dict[str, Any], int, Job]:
    """Read a part of a job's output as soon as there is any.

    :param jobs: the service that runs the job
    :param job: the job
    :param part: what to read
    :param media: ``TEXT`` for the bytes as they are, else JSON
    :param turn: how long to wait for output
    :returns: the body of the response, the offset of what follows, and the job in its current state
    """
    deadline = time.monotonic() + turn.seconds
    while True:
        left = max(0.0, deadline - time.monotonic())
        job, data = jobs.wait_for_output(job, part.stream, part.offset, BLOCK, left, turn.is_over)
        end = part.offset + len(data)
        complete = job.state.final and end >= jobs.spools.spool_of(job).size(part.stream)
        if media == TEXT:
            return data, end, job
        data = data if complete else whole_characters(data)
        if data or complete or time.monotonic() >= deadline or turn.is_over():
            break
        time.sleep(CHARACTER_POLL_SECONDS)
    end = part.offset + len(data)
    document = {
        "stream": part.stream,
        "offset": part.offset,
        "next_offset": end,
        "data": data.decode("utf-8", "replace"),
        "complete": complete,
        "state": job.state.value,
    }
    return document, end, job


def whole_characters(data: bytes) -> bytes:
    """Return the data without an incomplete UTF-8 character at its end, the rest of which may follow."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < size else data
        if byte & 0xC0 != 0x80:
            break
    return data
