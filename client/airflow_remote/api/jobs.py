"""The jobs of a server over HTTP. Each method sends one request."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from airflow_remote.api.result import parse_result, require_success
from airflow_remote.errors import NotTheApiError, UnusableError
from airflow_remote.http.connection import BYTES, JSON, TEXT, Request
from airflow_remote.http.foreign_responses import not_the_api_error
from airflow_remote.models import JOB_ID, is_job_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_remote.http.connection import Connection, Response, StreamedResponse

JOBS = "/api/v1.0/jobs"
NEXT_OFFSET = "Airflow-Remote-Next-Offset"
STATE, SIZES = "Airflow-Remote-Job-State", "Airflow-Remote-Output-Sizes"
"""Headers of a part of a job's output: the state of the job, and the sizes of its streams."""

STOP_TIMEOUT = 10.0
"""The timeout of a stop request, in seconds; it does not wait for the job to end."""


class OutputPart(NamedTuple):
    """A part of a job's output.

    :param data: the output
    :param state: the state of the job before it was read; None if the server does not say
    :param sizes: bytes of each stream at that time, as far as the server says
    """

    data: bytes
    state: str | None = None
    sizes: Mapping[str, int] = {}


class JobsApi:
    """Jobs over a connection. All methods raise the errors of ``Connection.stream``, and:

    * ``UnusableError`` if a job id is invalid;
    * ``AnsweredError`` if the server reports an error, such as ``ArgumentsError`` for an unknown job;
    * ``NotTheApiError`` if the response is not from the API.

    :param connection: to the server
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, job_id: str) -> Mapping[str, Any]:
        """Return a job as the API shows it.

        :param job_id: the job's id
        """
        return self._parse_job(self._connection.send(Request("GET", _job_path(job_id))))

    def list(self, query: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str | None]:
        """Return a page of jobs, newest first.

        :param query: ``state``, ``command``, ``limit``, ``before``
        :returns: the jobs, and the ``before`` of the next page; None if this is the last one
        """
        response = self._connection.send(Request("GET", JOBS, query=query))
        document = response.document
        jobs = document.get("jobs") if isinstance(document, dict) else None
        if isinstance(jobs, list) and all(is_job_document(job) for job in jobs):
            next_page = document.get("next")
            return jobs, next_page if isinstance(next_page, str) else None
        raise self._error(response)

    def read_output(self, job_id: str, stream: str, offset: int, wait: int) -> OutputPart:
        """Return the next output of a job; its ``data`` is b"" if there is no more.

        :param job_id: the job's id
        :param stream: ``stdout`` or ``stderr``
        :param offset: the position to start at, in bytes
        :param wait: the maximum time, in seconds, to wait for more output while the job runs
        """
        query = {"stream": stream, "offset": str(offset), "wait": str(wait)}
        accept = f"{TEXT}, {JSON};q=0.5"
        with self._connection.stream(
            Request("GET", f"{_job_path(job_id)}/output", accept, query=query)
        ) as response:
            if response.content_type == TEXT and response.status == 200 and NEXT_OFFSET in response.headers:
                data = response.read()
                if response.headers[NEXT_OFFSET] != str(offset + len(data)):  # a cache, or another server
                    raise NotTheApiError(f"{response.url} sent another part of the output than was requested")
                return OutputPart(
                    data, response.headers.get(STATE), parse_sizes(response.headers.get(SIZES, ""))
                )
            raise self._error(_parse_error(response))

    @contextmanager
    def open_file(self, job_id: str, name: str) -> Iterator[StreamedResponse]:
        """Open a file that a job wrote; its content is read later.

        :param job_id: the job's id
        :param name: the file name, validated by ``parse_files``
        """
        path = f"{_job_path(job_id)}/files/{quote(name, safe='/')}"
        with self._connection.stream(Request("GET", path, f"{BYTES}, {JSON};q=0.5")) as response:
            if response.status != 200 or response.content_type != BYTES:
                raise self._error(_parse_error(response))
            yield response

    def stop(self, job_id: str, force: bool) -> Mapping[str, Any]:
        """Request a stop of a job without waiting for its end.

        :param job_id: the job's id
        :param force: send SIGKILL at once
        :returns: the current state of the job
        """
        request = Request(
            "POST",
            f"{_job_path(job_id)}/stop",
            body=json.dumps({"force": force}).encode(),
            headers={"Prefer": "respond-async"},
            timeout=min(STOP_TIMEOUT, self._connection.session.timeout),
        )
        return self._parse_job(self._connection.send(request))

    def delete(self, job_id: str) -> Mapping[str, Any]:
        """Delete an ended job with its output, and return it as it was.

        :param job_id: the job's id
        """
        return self._parse_job(self._connection.send(Request("DELETE", _job_path(job_id))))

    def _parse_job(self, response: Response) -> Mapping[str, Any]:
        if response.status < 300 and is_job_document(response.document):
            job: Mapping[str, Any] = response.document
            return job
        raise self._error(response)

    def _error(self, response: Response) -> Exception:
        """Raise or return the error for an unexpected response."""
        require_success(parse_result(response), self._connection.session.sends_token)
        return not_the_api_error(response.url, response.status, "unexpected JSON")


def parse_sizes(text: str) -> dict[str, int]:
    """Parse the sizes of streams, such as ``stdout=3, stderr=0``; older servers send none."""
    pairs = (item.strip().partition("=") for item in text.split(","))
    return {
        name: int(size) for name, _, size in pairs if size.isascii() and size.isdigit() and len(size) < 20
    }


def _parse_error(response: StreamedResponse) -> Response:
    if response.status == 200:
        raise not_the_api_error(
            response.url,
            response.status,
            f"{response.content_type[:40] or 'no content type'}, not a job's output or file",
        )
    return response.read_json()


def validate_job_id(job_id: str) -> str:
    """Return a job id if it is valid.

    :raises UnusableError: if it is not
    """
    if not JOB_ID.fullmatch(job_id):
        raise UnusableError(f"{job_id[:80]!r} is not a valid job id")
    return job_id


def _job_path(job_id: str) -> str:
    return f"{JOBS}/{validate_job_id(job_id)}"
