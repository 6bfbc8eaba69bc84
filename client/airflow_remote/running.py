"""One command, from its request to its result: whatever the answers are that it comes in.

A command is sent with an Idempotency-Key. So it can be sent again when the connection is lost before the
server has said which job it is; from then on the job is followed. What is streamed is passed on as it comes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

from airflow_remote.errors import GatewayError, LostError, NotTheApiError, UnreachableError
from airflow_remote.events import Finished, Output, Started, events
from airflow_remote.following import follow
from airflow_remote.patience import Patience
from airflow_remote.resources import Resources
from airflow_remote.result import accepted, understood
from airflow_remote.transcript import OnOutput, Transcript
from airflow_remote.transport import EVENTS, JSON, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from airflow_remote.result import Result
    from airflow_remote.transport import Answer, Connection

SHORT_TIMEOUT = 120.0
"""Seconds; with a time-out below, the server is asked to answer in half of it."""

OnStart = Callable[["Mapping[str, Any]"], None]
"""Gets a command's job, once it is known."""


@dataclass(frozen=True)
class Wishes:
    """How a command is to be run.

    :param wait: whether to wait for its end
    :param on_output: gets what it prints, as it comes
    :param on_start: gets its job, once it is known
    """

    wait: bool = True
    on_output: OnOutput | None = None
    on_start: OnStart | None = None


class Running:
    """A command that is being run.

    :param connection: to the server
    :param wishes: how
    :param say: gets lines for the user about what is tried again
    """

    def __init__(self, connection: Connection, wishes: Wishes, say: Callable[[str], None]) -> None:
        self._connection = connection
        self._wishes = wishes
        self._patience = Patience(say)
        self._transcript = Transcript(wishes.on_output)
        self._timeout = connection.transport.timeout
        self._job_id = ""
        live = wishes.on_output is not None or wishes.on_start is not None
        self._accept = f"{EVENTS}, {JSON};q=0.5" if live and wishes.wait else JSON

    def __call__(self, request: Request) -> Result:
        """Run it.

        :param request: with its body
        :returns: its result
        :raises AnsweredError: when it failed, or was not run
        :raises RemoteError: when it is not known what has become of it
        """
        request = replace(request, headers={"Idempotency-Key": str(uuid.uuid4()), **self._preferred()})
        response = self._answer(request)
        if response is None:
            return self._followed()
        result = understood(response)
        self._transcript.catch_up(result)
        job = result.job
        if self._wishes.wait and result.ok and result.http_status == 202 and job and job["kind"] == "command":
            self._started(job)
            return self._followed()
        return accepted(result, self._connection.transport.sends_token)

    def _preferred(self) -> dict[str, str]:
        if not self._wishes.wait:
            return {"Prefer": "respond-async"}
        if self._timeout < SHORT_TIMEOUT:
            return {"Prefer": f"wait={int(self._timeout / 2)}"}
        return {}

    def _answer(self, request: Request) -> Response | None:
        """The answer to the request; None when there is only a job to follow."""
        while True:
            try:
                with self._connection.open(replace(request, accept=self._accept)) as answer:
                    if answer.kind != EVENTS:
                        return answer.json()
                    response = self._listen(answer)
            except (UnreachableError, GatewayError) as error:
                if self._job_id:
                    self._patience.heard()
                    self._patience.bear(error)
                    return None
                self._bear(error)
            else:
                if response is not None or self._job_id:
                    return response

    def _bear(self, error: UnreachableError | GatewayError) -> None:
        """Bear that there was no answer; or say that the command may have been run all the same."""
        sent = isinstance(error, LostError) or self._patience.tried
        try:
            self._patience.bear(error)
        except (UnreachableError, GatewayError):
            if sent:
                error.add("; the command may have been run")
            raise

    def _listen(self, answer: Answer) -> Response | None:
        """Pass on what is streamed, until the answer; None when the stream ends before.

        :raises LostError: when it breaks off
        """
        for event in events(answer.url, answer.pieces()):
            if isinstance(event, Started):
                if event.job["kind"] == "service":
                    # It has no end to wait for: the same request, now for its plain answer.
                    self._accept = JSON
                    return None
                self._started(event.job)
            elif not self._job_id:
                raise NotTheApiError(f"{answer.url} answered with events that do not begin with a job")
            elif isinstance(event, Output):
                self._transcript.add(event.stream, event.text)
            elif isinstance(event, Finished):
                said = event.envelope
                status = said.get("http_response_code") if isinstance(said, dict) else None
                return Response(answer.url, status if isinstance(status, int) else 200, "", said)
            else:
                return None
        raise LostError(f"the connection to {self._connection.transport.base} was lost while the command ran")

    def _started(self, job: Mapping[str, Any]) -> None:
        self._job_id = job["id"]
        if self._wishes.on_start is not None:
            self._wishes.on_start(job)

    def _followed(self) -> Result:
        resources = Resources(self._connection)
        result = follow(resources, self._job_id, self._transcript, self._patience, self._timeout)
        return accepted(result, self._connection.transport.sends_token)
