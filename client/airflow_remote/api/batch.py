"""Run many commands in one request, and yield the result of each as it ends, through lost connections."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from airflow_remote.api.jobs import JobsApi
from airflow_remote.api.result import parse_result, require_success, result_of_job
from airflow_remote.api.tail import Tail
from airflow_remote.errors import BusyError, GatewayError, NotTheApiError, UnreachableError, UnusableError
from airflow_remote.http.connection import EVENTS, JSON, Request, Response
from airflow_remote.http.ndjson import parse_object, split_lines
from airflow_remote.http.retry import RetryPolicy
from airflow_remote.models import JOB_ID, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from airflow_remote.http.connection import Connection, StreamedResponse

BATCH = "/api/v1.0/batch"
JOB_URL = re.compile(rf"/jobs/({JOB_ID.pattern})$")


def encode_commands(commands: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Encode commands as lines of JSON.

    :param commands: the name and the arguments of each; None as an argument is not sent
    :raises UnusableError: if a value cannot be sent
    """
    lines = []
    for index, (name, arguments) in enumerate(commands):
        given = {key: value for key, value in arguments.items() if value is not None}
        try:
            lines.append(json.dumps({"command": name, "arguments": given}, allow_nan=False) + "\n")
        except (TypeError, ValueError, RecursionError) as error:
            raise UnusableError(f"commands[{index}] cannot be sent as JSON: {error}") from None
    return "".join(lines).encode()


def batch_request(
    commands: Iterable[tuple[str, Mapping[str, Any]]], parallel: int, stop_on_failure: bool
) -> Request:
    """Return the request for a batch.

    :param commands: the name and the arguments of each command
    :param parallel: how many of them may run at once
    :param stop_on_failure: whether no command begins after one has failed
    :raises UnusableError: if a value cannot be sent
    """
    query = {"parallel": str(parallel), "stop_on_failure": str(bool(stop_on_failure)).lower()}
    return Request("POST", BATCH, body=encode_commands(commands), content_type=EVENTS, query=query)


class Batch:
    """A batch that runs on the server. Iterate over it to get the result of each command as it ends.

    A command that fails is a result as well: see ``Result.ok``.

    :param connection: to the server
    :param notify: receives a line for the user before a retry
    :param on_start: is called with the batch's job once it is known
    """

    def __init__(
        self,
        connection: Connection,
        notify: Callable[[str], None],
        on_start: Callable[[Mapping[str, Any]], None] = lambda job: None,
    ) -> None:
        self._connection = connection
        self._on_start = on_start
        self._retry = RetryPolicy(notify)
        self._job_id = ""
        self._offset = 0
        """Position in the output of the job after the lines that were received."""
        self.result: Result | None = None
        """The result of the batch as a whole; None until it has ended."""

    def execute(self, request: Request) -> Iterator[Result]:
        """Send the request, and yield results until the batch ends.

        :param request: the request with its body
        :raises AnsweredError: if no command was run
        :raises RemoteError: if the server can no longer be reached
        """
        request = replace(
            request, accept=f"{EVENTS}, {JSON};q=0.5", headers={"Idempotency-Key": str(uuid.uuid4())}
        )
        while not self._job_id:
            try:
                with self._connection.stream(request) as streamed:
                    yield from self._read(streamed)
            except (UnreachableError, GatewayError) as error:
                if self._job_id:
                    self._retry.reset()
                self._retry.pause_or_raise(error)
        if self.result is None:
            yield from self._follow()

    def _read(self, streamed: StreamedResponse) -> Iterator[Result]:
        """Yield the results of a response, which may end before the batch does.

        :raises AnsweredError: if the response is an error
        """
        if streamed.content_type != EVENTS:
            response = streamed.read_json()
            result = require_success(parse_result(response), self._connection.session.sends_token)
            if result.job is None:
                raise NotTheApiError(f"{streamed.url} answered without a job")
            self._note_job(result.job["id"])
            return
        location = JOB_URL.search(streamed.headers.get("Location", ""))
        if location is None:
            raise NotTheApiError(f"{streamed.url} sent results without the job that they belong to")
        self._note_job(location[1])
        yield from self._parse(streamed.url, streamed.iter_chunks())

    def _note_job(self, job_id: str) -> None:
        self._job_id = job_id
        self._on_start({"id": job_id, "state": "running", "kind": "command"})

    def _parse(self, url: str, chunks: Iterable[bytes]) -> Iterator[Result]:
        """Yield the results in a stream of lines; note that of the batch, which has no index."""
        for line in split_lines(url, chunks):
            text = line.lstrip(b" ")  # spaces keep the connection open
            if not text:
                continue
            result = parse_line(url, text)
            if result.index is not None:
                self._offset += len(text) + 1
                yield result
            elif result.http_status != 202:
                self.result = result

    def _follow(self) -> Iterator[Result]:
        """Yield the results that have not been received, from the output of the job."""
        jobs_api, job_id = JobsApi(self._connection), self._job_id
        tail = Tail(jobs_api, job_id, {"stdout": self._offset}, self._retry, self._connection.session.timeout)
        try:
            yield from self._parse(f"job {job_id}", (data for _, data in tail))
            self.result = result_of_batch(tail.job())
        except (UnreachableError, GatewayError, BusyError) as error:
            error.append(
                f"; job {job_id} is still running; run `airflow-remote job wait {job_id}` to follow it"
            )
            raise


def parse_line(url: str, line: bytes) -> Result:
    """Parse a line of a batch.

    :param url: the URL of the request, for the message
    :param line: a JSON object
    :raises NotTheApiError: if it is not an envelope
    """
    document = parse_object(line)
    status = document.get("http_response_code")
    return parse_result(Response(url, status if isinstance(status, int) else 200, "", document))


def result_of_batch(job: Mapping[str, Any]) -> Result:
    """Return the result of an ended batch.

    :param job: its job
    """
    result = result_of_job(job, "", "")
    return Result({**result.envelope, "result": job.get("result")}, result.http_status)
