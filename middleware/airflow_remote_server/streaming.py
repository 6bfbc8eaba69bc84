"""A command's output while it runs: as it is, or as events."""

from __future__ import annotations

import codecs
import json
import time
from typing import TYPE_CHECKING, Any

from airflow_remote_server.runner.folder import EXIT, STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_remote_server.jobs import Job
    from airflow_remote_server.jobs.service import Jobs

POLL_SECONDS = 0.02
BLOCK = 1 << 16
ALIVE_SECONDS = 15.0
"""How often something is said when a command prints nothing: proxies hang up on silence."""


class Unfinished(Exception):
    """Raised when a plain stream has to end before its command: the server then closes the connection
    without the end of the body (RFC 9112, 8), so that a client does not take it for all of it.
    """


def follow(jobs: Jobs, job: Job, streams: tuple[str, ...], seconds: float) -> Iterator[tuple[str, bytes]]:
    """What a job prints, as it comes; ("", b"") now and then when nothing does.

    :param jobs: all of them
    :param job: the one
    :param streams: ``stdout``, ``stderr``
    :param seconds: to follow a job that runs, at most
    :raises Unfinished: when they are over before the job
    """
    folder = jobs.folder(job)
    deadline = time.monotonic() + seconds
    said = looked = time.monotonic()
    offsets = dict.fromkeys(streams, 0)
    while True:
        ended = job.state.final or folder.has(EXIT)
        quiet = True
        for stream in streams:
            if folder.size(stream) < offsets[stream]:
                offsets[stream] = 0  # a service's output has begun anew
            if folder.size(stream) > offsets[stream] or ended:
                data = jobs.read(job, stream, offsets[stream], BLOCK)
                offsets[stream] += len(data)
                if data:
                    quiet, said = False, time.monotonic()
                    yield stream, data
        now = time.monotonic()
        if not ended and now >= deadline:  # also of one that always has something to say
            raise Unfinished(f"job {job.id} still runs")
        if not quiet:
            continue
        if ended:
            return
        if now >= said + ALIVE_SECONDS:
            said = now
            yield "", b""
        if now >= looked + 1.0:
            looked, job = now, jobs.settle(job)
        time.sleep(POLL_SECONDS)


def text(jobs: Jobs, job: Job, seconds: float) -> Iterator[bytes]:
    """A job's stdout.

    :raises Unfinished: when the time is over before the command
    """
    for stream, data in follow(jobs, job, (STDOUT,), seconds):
        if stream:
            yield data


def events(
    jobs: Jobs,
    job: Job,
    seconds: float,
    shown: Callable[[Job], dict[str, Any]],
    envelope: Callable[[Job], dict[str, Any]],
) -> Iterator[bytes]:
    """A job's life as lines of JSON.

    ``started`` with the job; ``output`` with stream and data; ``alive`` now and then; at the end ``finished``
    with the envelope, or ``unfinished`` with the job when the time is over before.

    :param shown: the job as a resource
    :param envelope: the answer that a request without a stream would have got
    """
    yield line(event="started", job=shown(job))
    decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in (STDOUT, STDERR)}
    try:
        for stream, data in follow(jobs, job, tuple(decoders), seconds):
            said = decoders[stream].decode(data) if stream else ""
            if said:
                yield line(event="output", stream=stream, data=said)
            elif not stream:
                yield line(event="alive")
    except Unfinished:
        yield line(event="unfinished", job=shown(jobs.settle(job)))
        return
    for stream, decoder in decoders.items():
        rest = decoder.decode(b"", final=True)
        if rest:
            yield line(event="output", stream=stream, data=rest)
    yield line(event="finished", envelope=envelope(jobs.settle(job)))


def line(**said: Any) -> bytes:
    """One event."""
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
