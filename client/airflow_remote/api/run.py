"""Run one command, from its request to its result, with any kind of response.

A command is sent with an Idempotency-Key, so it can be sent again if the connection is lost before the
server has named its job. From then on, the job is followed. Streamed output is passed on as it arrives.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

from airflow_remote.api.jobs import JobsApi
from airflow_remote.api.result import parse_result, require_success
from airflow_remote.api.tail import follow_job
from airflow_remote.api.transcript import OnOutput, Transcript
from airflow_remote.errors import GatewayError, LostError, NotTheApiError, RefusedError, UnreachableError
from airflow_remote.http.connection import EVENTS, JSON, Request, Response
from airflow_remote.http.ndjson import Finished, Output, Started, parse_events
from airflow_remote.http.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from airflow_remote.http.connection import Connection, StreamedResponse
    from airflow_remote.models import Result

SHORT_TIMEOUT = 120.0
"""If the timeout is below this, in seconds, the server is asked to respond within half of it."""

OnStart = Callable[["Mapping[str, Any]"], None]
"""Is called with the command's job once it is known."""


@dataclass(frozen=True)
class RunOptions:
    """How to run a command.

    :param wait: whether to wait for the command to end
    :param on_output: is called with each piece of output as it arrives
    :param on_start: is called with the command's job once it is known
    """

    wait: bool = True
    on_output: OnOutput | None = None
    on_start: OnStart | None = None


class CommandRun:
    """One run of a command.

    :param connection: to the server
    :param options: how to run it
    :param notify: receives a line for the user before a retry
    """

    def __init__(self, connection: Connection, options: RunOptions, notify: Callable[[str], None]) -> None:
        self._connection = connection
        self._options = options
        self._retry = RetryPolicy(notify)
        self._transcript = Transcript(options.on_output)
        self._timeout = connection.session.timeout
        self._job_id = ""
        streams = options.on_output is not None or options.on_start is not None
        self._accept = f"{EVENTS}, {JSON};q=0.5" if streams and options.wait else JSON

    def execute(self, request: Request) -> Result:
        """Send the request, and follow the command to its end.

        :param request: the request with its body
        :returns: the result
        :raises AnsweredError: if the command failed or was not run
        :raises RemoteError: if the outcome is unknown
        """
        request = replace(request, headers={"Idempotency-Key": str(uuid.uuid4()), **self._preferences()})
        response = self._send(request)
        if response is None:
            return self._follow()
        result = parse_result(response)
        self._transcript.catch_up(result)
        job = result.job
        if (
            self._options.wait
            and result.ok
            and result.http_status == 202
            and job
            and job["kind"] == "command"
        ):
            self._note_job(job)
            return self._follow()
        return require_success(result, self._connection.session.sends_token)

    def _preferences(self) -> dict[str, str]:
        if not self._options.wait:
            return {"Prefer": "respond-async"}
        if self._timeout < SHORT_TIMEOUT:
            return {"Prefer": f"wait={int(self._timeout / 2)}"}
        return {}

    def _send(self, request: Request) -> Response | None:
        """Return the response to the request; None if only a job is left to follow."""
        while True:
            try:
                with self._connection.stream(replace(request, accept=self._accept)) as streamed:
                    if streamed.content_type != EVENTS:
                        return streamed.read_json()
                    response = self._read_events(streamed)
            except (UnreachableError, GatewayError) as error:
                if self._job_id:
                    self._retry.reset()
                    self._retry.pause_or_raise(error)
                    return None
                self._retry_or_raise(error)
            else:
                if response is not None or self._job_id:
                    return response

    def _retry_or_raise(self, error: UnreachableError | GatewayError) -> None:
        """Pause before a retry, or raise the error and add whether the command may have been run."""
        sent = isinstance(error, LostError) or self._retry.retrying
        try:
            self._retry.pause_or_raise(error)
        except (UnreachableError, GatewayError):
            if sent:
                error.append("; the command may have been run")
            raise

    def _read_events(self, streamed: StreamedResponse) -> Response | None:
        """Pass on streamed output until the final response; return None if the stream ends before.

        :raises LostError: if the connection breaks
        """
        for event in parse_events(streamed.url, streamed.iter_chunks()):
            if isinstance(event, Started):
                if event.job["kind"] == "service":
                    if self._accept == JSON:
                        raise NotTheApiError(f"{streamed.url} sends events although it was asked for JSON")
                    # A service has no end to wait for: send the same request again for a plain response.
                    self._accept = JSON
                    return None
                self._note_job(event.job)
            elif not self._job_id:
                raise NotTheApiError(f"{streamed.url} sent events that do not start with a job")
            elif isinstance(event, Output):
                self._transcript.add(event.stream, event.text)
            elif isinstance(event, Finished):
                envelope = event.envelope
                status = envelope.get("http_response_code") if isinstance(envelope, dict) else None
                return Response(streamed.url, status if isinstance(status, int) else 200, "", envelope)
            else:
                return None
        raise LostError(f"the connection to {self._connection.session.base} was lost while the command ran")

    def _note_job(self, job: Mapping[str, Any]) -> None:
        self._job_id = job["id"]
        if self._options.on_start is not None:
            self._options.on_start(job)

    def _follow(self) -> Result:
        jobs_api = JobsApi(self._connection)
        try:
            result = follow_job(jobs_api, self._job_id, self._transcript, self._retry, self._timeout)
        except (RefusedError, NotTheApiError) as error:
            # The token may have expired, or a proxy asks for a new login; the command goes on.
            if not isinstance(error, GatewayError):  # follow_job has said so
                job_id = self._job_id
                error.append(f"; job {job_id} may still be running: see `airflow-remote job wait {job_id}`")
            raise
        return require_success(result, self._connection.session.sends_token)
