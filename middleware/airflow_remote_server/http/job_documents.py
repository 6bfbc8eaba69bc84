"""Jobs as JSON documents."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_remote_server.deploy import requests
from airflow_remote_server.execution.batch_progress import BatchProgress
from airflow_remote_server.execution.restarts import Restarts, describe_exit
from airflow_remote_server.util.file_names import shown_name

if TYPE_CHECKING:
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService


def brief(job: Job, root: str) -> dict[str, Any]:
    """Return the fields of a job that every envelope has.

    :param job: the job
    :param root: the path of the API's prefix
    """
    document = {"id": job.id, "state": job.state.value, "kind": job.kind, "url": url(job, root)}
    return document if job.pid is None or job.state.final else {**document, "pid": job.pid}


def full(job: Job, root: str) -> dict[str, Any]:
    """Return all fields of a job; times are in RFC 3339 format.

    :param job: the job
    :param root: the path of the API's prefix
    """
    return {
        **brief(job, root),
        "name": job.name,
        "airflow_cmd": job.command,
        "arguments": arguments_of(job),
        "principal": job.principal,
        "peer": job.peer,
        "node": job.node.partition("@")[2],
        "created": rfc3339(job.created),
        "started": rfc3339(job.started),
        "ended": rfc3339(job.ended),
        "exit_code": job.exit_code,
        "message": job.message,
        "stopping": stopping(job),
        "restarts": restarts(job.restarts),
        "stdout_bytes": job.stdout_bytes,
        "stderr_bytes": job.stderr_bytes,
        "output_url": f"{url(job, root)}/output",
    }


def stopping(job: Job) -> dict[str, Any] | None:
    """Return how long a job that is being stopped may take; None if it is not being stopped."""
    if job.kill_time is None:
        return None
    seconds = max(0, math.ceil(job.kill_time - time.time()))
    message = f"stopping, up to {seconds} s; force kills it"
    return {"until": rfc3339(job.kill_time), "seconds": seconds, "message": message}


def restarts(record: Restarts | None) -> dict[str, Any] | None:
    """Return how often a service was started again; None if it is not started again.

    :param record: from its spool
    """
    if record is None:
        return None
    seconds, message = None, f"started again {record.count} times" if record.count else ""
    if record.next is not None:
        seconds = max(0, math.ceil(record.next - time.time()))
        message = f"the service {describe_exit(record.exit_code)}; it is started again in {seconds} s"
    return {
        "count": record.count,
        "limit": record.limit,
        "next": rfc3339(record.next),
        "seconds": seconds,
        "message": message,
    }


def detailed(jobs: JobService, job: Job, root: str) -> dict[str, Any]:
    """Return all fields of a job, its files, and the outcome that its own request would report.

    :param jobs: the service that runs the job
    :param job: the job
    :param root: the path of the API's prefix
    """
    document = full(job, root)
    spool = jobs.spools.spool_of(job)
    summary = BatchProgress(spool).summary(job.state.final)
    if summary is not None:
        document["result"] = summary
    if job.state.final:
        document["restarts"] = restarts(Restarts.read(spool)) if job.service else None
        error = jobs.results.failure_of(job)
        document["http_response_code"] = 200 if error is None else error.status
        document["error"] = None if error is None else {"type": error.kind, "message": error.message}
        document["warning"] = jobs.results.warning_of(job) or None if error is None else None
        document.update(requests.read_answer(spool, job.name))
    return {**document, "files": files(jobs, job, root)}


def files(jobs: JobService, job: Job, root: str) -> list[dict[str, Any]]:
    """Return the name, size and URL of each file that a command wrote for its user.

    A name that is not printable text is shown as ``util.file_names`` does.

    :param jobs: the service that runs the job
    :param job: the job
    :param root: the path of the API's prefix
    """
    entries = [(shown_name(name), size) for name, size in jobs.spools.spool_of(job).files()]
    return [
        {"name": name, "size": size, "url": f"{url(job, root)}/files/{quote(name)}"} for name, size in entries
    ]


def arguments_of(job: Job) -> dict[str, Any]:
    """Return the arguments of a job, secrets masked."""
    arguments: dict[str, Any] = json.loads(job.arguments)
    return arguments


def url(job: Job, root: str) -> str:
    """Return the path of a job.

    :param job: the job
    :param root: the path of the API's prefix
    """
    return f"{root}/api/v1.0/jobs/{job.id}"


def rfc3339(seconds: float | None) -> str | None:
    """Return a time in RFC 3339 format; None for None.

    :param seconds: since the epoch
    """
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
