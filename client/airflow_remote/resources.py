"""The jobs of a server as its API has them: each call is one request."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_remote.errors import UnusableError
from airflow_remote.result import JOB_ID, accepted, is_job, understood
from airflow_remote.transport import BYTES, JSON, TEXT, Request, not_the_api

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_remote.transport import Answer, Connection, Response

JOBS = "/api/v1.0/jobs"
NEXT_OFFSET = "Airflow-Remote-Next-Offset"
STOP_TIMEOUT = 10.0
"""Seconds; asking for a stop does not wait for it."""


class Resources:
    """Jobs over a connection. All methods raise what ``Connection.open`` does, and:

    * ``UnusableError`` when an id cannot be one;
    * ``AnsweredError`` when the server answers that it cannot, as ``ArgumentsError`` for a job that it does
      not have;
    * ``NotTheApiError`` when something else answers.

    :param connection: to the server
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def show(self, job_id: str) -> Mapping[str, Any]:
        """All that is known of a job.

        :param job_id: its id
        """
        return self._job(self._connection.ask(Request("GET", _path(job_id))))

    def list(self, query: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str | None]:
        """Some jobs, newest first.

        :param query: ``state``, ``command``, ``limit``, ``before``
        :returns: the jobs, and ``before`` for those that follow; None when none do
        """
        response = self._connection.ask(Request("GET", JOBS, query=query))
        document = response.document
        jobs = document.get("jobs") if isinstance(document, dict) else None
        if isinstance(jobs, list) and all(is_job(job) for job in jobs):
            following = document.get("next")
            return jobs, following if isinstance(following, str) else None
        raise self._error(response)

    def read(self, job_id: str, stream: str, offset: int, wait: int) -> bytes:
        """Some of what a job has printed; b"" when there is no more.

        :param job_id: its id
        :param stream: ``stdout`` or ``stderr``
        :param offset: where to begin, in bytes
        :param wait: seconds to wait for more at most, while the job has not ended
        """
        query = {"stream": stream, "offset": str(offset), "wait": str(wait)}
        accept = f"{TEXT}, {JSON};q=0.5"
        with self._connection.open(Request("GET", f"{_path(job_id)}/output", accept, query=query)) as answer:
            if answer.kind == TEXT and answer.status == 200 and NEXT_OFFSET in answer.headers:
                return answer.whole()
            raise self._error(_json(answer))

    @contextmanager
    def file(self, job_id: str, name: str) -> Iterator[Answer]:
        """A file that a job has written; its content has not been read yet.

        :param job_id: its id
        :param name: of the file, as ``remote_files`` has checked it
        """
        path = f"{_path(job_id)}/files/{quote(name, safe='/')}"
        with self._connection.open(Request("GET", path, f"{BYTES}, {JSON};q=0.5")) as answer:
            if answer.status != 200 or answer.kind != BYTES:
                raise self._error(_json(answer))
            yield answer

    def stop(self, job_id: str, force: bool) -> Mapping[str, Any]:
        """Ask for a job's end, without waiting for it.

        :param job_id: its id
        :param force: by SIGKILL, at once
        :returns: the job as it is then
        """
        request = Request(
            "POST",
            f"{_path(job_id)}/stop",
            body=json.dumps({"force": force}).encode(),
            headers={"Prefer": "respond-async"},
            timeout=min(STOP_TIMEOUT, self._connection.transport.timeout),
        )
        return self._job(self._connection.ask(request))

    def _job(self, response: Response) -> Mapping[str, Any]:
        if response.status < 300 and is_job(response.document):
            job: Mapping[str, Any] = response.document
            return job
        raise self._error(response)

    def _error(self, response: Response) -> Exception:
        """The error that an answer stands for which is not what was asked for."""
        accepted(understood(response), self._connection.transport.sends_token)
        return not_the_api(response.url, response.status, "JSON of another kind")


def _json(answer: Answer) -> Response:
    if answer.status == 200:
        raise not_the_api(
            answer.url, answer.status, f"{answer.kind[:40] or 'no content type'}, not what a job has made"
        )
    return answer.json()


def checked_id(job_id: str) -> str:
    """A job's id.

    :raises UnusableError: when it cannot be one
    """
    if not JOB_ID.fullmatch(job_id):
        raise UnusableError(f"{job_id[:80]!r} is not a job's id")
    return job_id


def _path(job_id: str) -> str:
    return f"{JOBS}/{checked_id(job_id)}"
