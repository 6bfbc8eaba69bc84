"""Send a command's output while it runs: as plain text or as events."""

from __future__ import annotations

import codecs
import errno
import json
import time
from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution.spool import EXIT, STDERR, STDOUT
from airflow_remote_server.http.responses import encode_text
from airflow_remote_server.util.polling import pause_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_remote_server.http.waiting import Turn
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService

BLOCK = 1 << 16
ALIVE_SECONDS = 15.0
"""Interval of the events that keep the stream of a silent command open: proxies close idle connections."""

REFRESH_SECONDS = 1.0
"""Interval at which a job is checked for an end that its spool does not show."""


class Unfinished(ConnectionResetError):
    """Raised if a plain-text stream has to end before its command does.

    The response then breaks off (``sending``), so that a client does not mistake a part of the output for all
    of it.

    :param job: the job that is still running
    """

    def __init__(self, job: Job) -> None:
        super().__init__(errno.ECONNRESET, f"job {job.id} is still running")


class OutputFollower:
    """Follow what a job prints.

    :param jobs: the service that runs the job
    :param job: the job
    :param streams: ``stdout``, ``stderr`` or both
    :param turn: how long to follow a running job
    """

    def __init__(self, jobs: JobService, job: Job, streams: tuple[str, ...], turn: Turn) -> None:
        self._jobs = jobs
        self._job = job
        self._folder = jobs.spools.spool_of(job)
        self._turn = turn
        self._offsets = dict.fromkeys(streams, 0)

    def follow(self) -> Iterator[tuple[str, bytes]]:
        """Yield pairs of a stream's name and new output; ("", b"") as a sign of life in between.

        :raises Unfinished: if the time is over before the job has ended, or the client is gone
        """
        last_yield = last_refresh = last_output = time.monotonic()
        deadline = last_yield + self._turn.seconds
        while True:
            ended = self._job.state.final or self._folder.has(EXIT)
            silent = True
            for stream, data in self._read_new(ended):
                silent, last_yield = False, time.monotonic()
                last_output = last_yield
                yield stream, data
            now = time.monotonic()
            # Checked even if the command never stops printing.
            if not ended and (now >= deadline or self._turn.is_over()):
                raise Unfinished(self._job)
            if not silent:
                continue
            if ended:
                return
            if now >= last_yield + ALIVE_SECONDS:
                last_yield = now
                yield "", b""
            if now >= last_refresh + REFRESH_SECONDS:
                last_refresh, self._job = now, self._jobs.refresh(self._job)
            time.sleep(pause_after(now - last_output))

    def _read_new(self, ended: bool) -> Iterator[tuple[str, bytes]]:
        """Yield at most one block of new output of each stream."""
        offsets = self._offsets
        for stream in offsets:
            if self._job.service and self._folder.size(stream) < offsets[stream]:
                offsets[stream] = 0  # it begins anew; that of a command is only cut off at its limit
            if self._folder.size(stream) > offsets[stream] or ended:
                data = self._jobs.spools.read_output(self._job, stream, offsets[stream], BLOCK)
                offsets[stream] += len(data)
                if data:
                    yield stream, data


def stream_text(jobs: JobService, job: Job, turn: Turn) -> Iterator[bytes]:
    """Yield a job's stdout; of a service also its stderr, where it logs.

    :raises Unfinished: if the time is over before the command has ended, or the client is gone
    """
    streams = (STDOUT, STDERR) if job.service else (STDOUT,)
    for stream, data in OutputFollower(jobs, job, streams, turn).follow():
        if stream:
            yield data


def stream_parts(parts: Callable[[Callable[[], bool]], Iterator[str]], turn: Turn) -> Iterator[bytes]:
    """Yield a text that comes in parts, in UTF-8.

    :param parts: returns the parts; it takes a function that returns whether to stop
    :param turn: how long more may be waited for
    :raises ConnectionResetError: if more would come, but the time is over or the client is gone
    """
    deadline, stopped = time.monotonic() + turn.seconds, False

    def is_over() -> bool:
        nonlocal stopped
        stopped = time.monotonic() >= deadline or turn.is_over()
        return stopped

    for part in parts(is_over):
        yield encode_text(part)
    if stopped:
        raise ConnectionResetError(errno.ECONNRESET, "more of the text may come")


def stream_events(
    jobs: JobService,
    job: Job,
    turn: Turn,
    document: Callable[[Job], dict[str, Any]],
    envelope: Callable[[Job], dict[str, Any]],
) -> Iterator[bytes]:
    """Yield the events of a job as lines of JSON.

    The events are ``started`` with the job, ``output`` with stream and data, ``alive`` while nothing is
    printed, and last ``finished`` with the envelope, or ``unfinished`` with the job if the time is over.

    :param jobs: the service that runs the job
    :param job: the job
    :param turn: how long to follow it
    :param document: returns the job as a resource
    :param envelope: returns the envelope that a request without a stream would get
    """
    yield _event("started", job=document(job))
    decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in (STDOUT, STDERR)}
    try:
        for stream, data in OutputFollower(jobs, job, tuple(decoders), turn).follow():
            text = decoders[stream].decode(data) if stream else ""
            if text:
                yield _event("output", stream=stream, data=text)
            elif not stream:
                yield _event("alive")
    except Unfinished:
        yield _event("unfinished", job=document(jobs.refresh(job)))
        return
    for stream, decoder in decoders.items():
        rest = decoder.decode(b"", final=True)
        if rest:
            yield _event("output", stream=stream, data=rest)
    yield _event("finished", envelope=envelope(jobs.refresh(job)))


def stream_lines(
    jobs: JobService, job: Job, turn: Turn, envelope: Callable[[Job], dict[str, Any]]
) -> Iterator[bytes]:
    """Yield the complete lines that a job prints, and last the envelope of the job itself as one more line.

    In between, a space shows that the job goes on: JSON ignores it in front of the next line.

    :param jobs: the service that runs the job
    :param job: the job
    :param turn: how long to follow it
    :param envelope: returns the envelope of the job, which may still run
    """
    held = bytearray()  # the beginning of a line
    try:
        for stream, data in OutputFollower(jobs, job, (STDOUT,), turn).follow():
            end = data.rfind(b"\n") + 1
            if not stream:
                yield b" "
            elif end:
                yield bytes(held) + data[:end]
                held = bytearray(data[end:])
            else:
                held += data
    except Unfinished:
        pass
    line = json.dumps(envelope(jobs.refresh(job)), ensure_ascii=False)
    yield encode_text(line) + b"\n"


def _event(name: str, **fields: Any) -> bytes:
    line = json.dumps({"event": name, **fields}, ensure_ascii=False)
    return encode_text(line) + b"\n"
