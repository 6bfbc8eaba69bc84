"""Jobs as HTTP resources: what ``/api/v1.0/jobs`` and everything below it answers."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_remote_server.dags import orders
from airflow_remote_server.delivery import TEXT
from airflow_remote_server.errors import BadArguments, NotFound
from airflow_remote_server.jobs import ACTIVE, Job, State
from airflow_remote_server.runner.folder import FILES, STDERR, STDOUT

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.arguments import Given
    from airflow_remote_server.jobs.service import Jobs

PAGE, LARGEST_PAGE = 50, 500
BLOCK = 1 << 20
"""Most bytes of output in one answer."""

LONGEST_TEXT = 1000

HALF_SECONDS = 0.05
"""How often it is looked for the rest, when half a character is all that has come."""


def brief(job: Job, root: str) -> dict[str, Any]:
    """What every envelope says of its job.

    :param job: it
    :param root: the path of the API's prefix
    """
    said = {"id": job.id, "state": job.state.value, "kind": job.kind, "url": url(job, root)}
    return said if job.pid is None or job.state.final else {**said, "pid": job.pid}


def full(job: Job, root: str) -> dict[str, Any]:
    """All that is known of a job; times as RFC 3339 has them."""
    return {
        **brief(job, root),
        "name": job.name,
        "airflow_cmd": job.command,
        "arguments": json.loads(job.arguments),
        "principal": job.principal,
        "peer": job.peer,
        "node": job.node.partition("@")[2],
        "created": moment(job.created),
        "started": moment(job.started),
        "ended": moment(job.ended),
        "exit_code": job.exit_code,
        "message": job.message,
        "stdout_bytes": job.stdout_bytes,
        "stderr_bytes": job.stderr_bytes,
        "output_url": f"{url(job, root)}/output",
    }


def single(jobs: Jobs, job: Job, root: str) -> dict[str, Any]:
    """The answer to ``GET /jobs/ID``: all that is known, and how the command's own request would be answered.

    :param jobs: all of them
    :param job: the one
    :param root: the path of the API's prefix
    """
    said = full(job, root)
    if job.state.final:
        error = jobs.failure(job)
        said["http_response_code"] = 200 if error is None else error.status
        said["error"] = None if error is None else {"type": error.kind, "message": error.message}
        said["warning"] = jobs.outcome(job).message or None if error is None else None
        said.update(orders.found(jobs.folder(job), job.name))
    return {**said, "files": files(jobs, job, root)}


def files(jobs: Jobs, job: Job, root: str) -> list[dict[str, Any]]:
    """The files that a command has written for its user: name, size and where each is.

    :param jobs: all of them
    :param job: the one
    :param root: the path of the API's prefix
    """
    return [
        {"name": name, "size": size, "url": f"{url(job, root)}/files/{quote(name)}"}
        for name, size in jobs.folder(job).files()
    ]


def file(jobs: Jobs, job_id: str, name: str, principal: str | None = None) -> Path:
    """Where a file that a command has written for its user is.

    :param name: as ``files`` tells it
    :param principal: whose jobs there are; None for everybody's
    :raises NotFound: when there is no such job, or it has no such file
    :raises Conflict: when the job's folder is on another machine
    """
    job = jobs.get(job_id, principal)
    jobs.refuse_elsewhere(job)
    folder = jobs.folder(job)
    # Only what was found by walking down from the folder: no name leads out of it.
    if name not in {found for found, _ in folder.files()}:
        raise NotFound(f"job {job.id} has no file {name[:80]!r}")
    return folder.path / FILES / name


def url(job: Job, root: str) -> str:
    """Where a job is, as a path."""
    return f"{root}/api/v1.0/jobs/{job.id}"


def moment(seconds: float | None) -> str | None:
    """A time as RFC 3339 has it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


class Query:
    """The arguments of a request for jobs.

    :param given: as they came
    """

    def __init__(self, given: Given) -> None:
        self.left = dict(given)

    def text(self, name: str) -> str | None:
        """An argument's only value; None when it was not given.

        :raises BadArguments: when it was given twice, or cannot be looked for
        """
        values = self.left.pop(name, [None])
        if len(values) != 1 or not isinstance(values[0], (str, int, float, type(None))):
            raise BadArguments(f"{name!r} must be given once, as a text")
        text = None if values[0] is None else str(values[0])
        if text is not None and (len(text) > LONGEST_TEXT or "\0" in text):
            raise BadArguments(f"{name!r} must have at most {LONGEST_TEXT} characters, and no NUL")
        return text

    def number(self, name: str, default: float, most: float) -> float:
        """An argument that is a number from 0 on.

        :raises BadArguments: when it is not
        """
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise BadArguments(f"{name!r} must be a whole number, not {text[:40]!r}")
        return min(float(text), most)

    def flag(self, name: str) -> bool:
        """An argument that is on or off.

        :raises BadArguments: when it is neither
        """
        values = self.left.pop(name, [False])
        word = str(values[0]).lower()
        if word in ("", "true", "1", "yes", "on"):
            return True
        if word in ("false", "0", "no", "off"):
            return False
        raise BadArguments(f"{name!r} must be true or false, not {word[:40]!r}")

    def end(self) -> None:
        """See that nothing is left.

        :raises BadArguments: naming what is
        """
        if self.left:
            raise BadArguments(f"unknown argument: {next(iter(self.left))[:80]!r}")


def listing(jobs: Jobs, given: Given, root: str, whose: str | None = None) -> dict[str, Any]:
    """The answer to ``GET /jobs``.

    :param whose: jobs there are; None for everybody's
    :param given: ``state`` (several, with commas), ``command``, ``principal``, ``limit``, ``before``
    :raises BadArguments: for any other, or a value that cannot be used
    """
    query = Query(given)
    words = [word for word in (query.text("state") or "").split(",") if word]
    unknown = [word for word in words if word not in {state.value for state in State}]
    if unknown:
        known = ", ".join(state.value for state in State)
        raise BadArguments(f"'state' must be some of {known}, not {unknown[0][:40]!r}")
    limit = int(query.number("limit", PAGE, LARGEST_PAGE)) or PAGE
    command, principal, before = query.text("command"), query.text("principal"), query.text("before")
    query.end()
    if whose is not None and principal not in (None, whose):
        return {"jobs": [], "next": None}
    principal = whose or principal
    states = {State(word) for word in words}
    # The store is told of a job's end, but not of its beginning: its folder says which of the two it is.
    noted = states.union(ACTIVE) if states.intersection(ACTIVE) else states
    found = jobs.find(limit + 1, states=noted, command=command, principal=principal, before=before)
    shown = [job for job in found[:limit] if not states or job.state in states]
    more = found[limit - 1].id if len(found) > limit else None
    return {"jobs": [full(job, root) for job in shown], "next": more}


def output(
    jobs: Jobs, job_id: str, given: Given, media: str, longest: float, principal: str | None = None
) -> tuple[bytes | dict[str, Any], str]:
    """The answer to ``GET /jobs/ID/output``: some of a stream, once there is any.

    :param given: ``stream``; ``offset`` in bytes; ``wait``, the most seconds to wait for more
    :param media: of the answer
    :param longest: the most seconds that can be waited
    :param principal: whose jobs there are; None for everybody's
    :returns: the body, and the offset to go on at
    :raises BadArguments: for any other argument, or a value that cannot be used
    :raises NotFound: when there is no such job
    :raises Conflict: when its folder is on another machine
    """
    query = Query(given)
    stream = query.text("stream") or STDOUT
    if stream not in (STDOUT, STDERR):
        raise BadArguments(f"'stream' must be stdout or stderr, not {stream[:40]!r}")
    offset, wait = int(query.number("offset", 0, 1e15)), query.number("wait", 0, longest)
    query.end()
    job = jobs.get(job_id, principal)
    jobs.refuse_elsewhere(job)
    deadline = time.monotonic() + wait
    while True:
        job, data = jobs.more(job, stream, offset, BLOCK, max(0.0, deadline - time.monotonic()))
        end = offset + len(data)
        complete = job.state.final and end >= jobs.folder(job).size(stream)
        if media == TEXT:
            return data, str(end)
        data = data if complete else whole_characters(data)
        if data or complete or time.monotonic() >= deadline:
            break
        time.sleep(HALF_SECONDS)
    end = offset + len(data)
    said = {
        "stream": stream,
        "offset": offset,
        "next_offset": end,
        "data": data.decode("utf-8", "replace"),
        "complete": complete,
        "state": job.state.value,
    }
    return said, str(end)


def whole_characters(data: bytes) -> bytes:
    """The bytes without the beginning of a UTF-8 character at their end, which will come whole later."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < size else data
        if byte & 0xC0 != 0x80:
            break
    return data
