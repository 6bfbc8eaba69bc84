"""Run the command that a request asks for, and respond as the request prefers."""

from __future__ import annotations

import json
import math
import time
from contextlib import ExitStack, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_remote_server import envelope
from airflow_remote_server.errors import ApiError
from airflow_remote_server.http import job_documents, preferences, streaming
from airflow_remote_server.http.connection import is_sync
from airflow_remote_server.http.csrf import refuse_forgery
from airflow_remote_server.http.replies import make_reply
from airflow_remote_server.http.responses import (
    Reply,
    encode_text,
    envelope_response,
    make_envelope,
    streamed_response,
    text_response,
)
from airflow_remote_server.http.waiting import Turn
from airflow_remote_server.jobs.admission import ServiceRuns
from airflow_remote_server.jobs.models import JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from airflow_remote_server.catalog.spec import Endpoint, RequestArguments
    from airflow_remote_server.execution.client import CompletionChannel
    from airflow_remote_server.http.plan import Plan
    from airflow_remote_server.http.planning import Planner
    from airflow_remote_server.http.responses import RequestContext
    from airflow_remote_server.http.waiting import WaitingRequests
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService
    from airflow_remote_server.runs.reading import Reading

SERVICE_START_SECONDS = 10.0
"""The maximum time, in seconds, to wait for the process of a service before responding.

Only a busy machine needs more than a fraction of a second.
"""


class CommandDispatcher:
    """Run the commands that requests ask for.

    :param planner: plans the requests
    :param jobs: the service that runs the commands
    :param waiting: the requests that wait
    :param max_wait: the maximum time that a request may wait, in seconds
    :param default_wait: how long a request waits that does not say so, in seconds
    :param default_wait_sync: the same if the worker of the request serves nobody else meanwhile
    """

    def __init__(
        self,
        planner: Planner,
        jobs: JobService,
        waiting: WaitingRequests,
        max_wait: float,
        default_wait: float,
        default_wait_sync: float,
    ) -> None:
        self.planner = planner
        self.jobs = jobs
        self.waiting = waiting
        self.max_wait = max_wait
        self.default_wait = default_wait
        self.default_wait_sync = default_wait_sync

    def run(
        self,
        context: RequestContext,
        endpoint: Endpoint,
        arguments: RequestArguments,
        ignore_unknown: bool = False,
        reshape: Callable[[Reply], Reply] = lambda reply: reply,
    ) -> Response:
        """Run an endpoint's command and respond as the request prefers.

        :param context: the request
        :param endpoint: the requested endpoint
        :param arguments: the arguments of the request
        :param ignore_unknown: drop arguments that the endpoint does not have
        :param reshape: changes each reply
        """
        context.notes.name = endpoint.name
        try:
            self.planner.check_peer(endpoint, context.principal)
            preferred = preferences.read(
                context.request, self.max_wait, self.wait_of(context, knows_jobs=not ignore_unknown)
            )
            plan = self.planner.plan(endpoint, arguments, ignore_unknown, context.principal.permissions)
            context.notes.command = plan.title
            if not plan.request.variant.read_only:
                refuse_forgery(context)
            reading = plan.handler.read(plan.request)
            if reading is not None:
                return self.send_reading(context, plan, reading, preferred, reshape)
            job, line = self.planner.submit(plan, context.principal, preferred.key)
            context.notes.job = job.id
        except ApiError as error:
            visible = self.planner.visible_arguments(endpoint, arguments)
            context.notes.command = context.notes.command or f"{endpoint.name} {json.dumps(visible)}"
            fields: dict[str, Any] = {"arguments": visible}
            if isinstance(error, ServiceRuns):
                # Not the envelope's own `job`: that would be the job of this request.
                running = job_documents.brief(error.job, context.root)
                fields["error"] = {"type": error.kind, "message": error.message, "job": running}
            return envelope_response(context, reshape(Reply(fields, error)))

        def reply_to(job: Job) -> Reply:
            context.notes.ended = job if job.state.final else None
            reply = make_reply(self.jobs, plan, job)
            reply.fields["job"] = job_documents.brief(job, context.root)
            reply.fields["files"] = job_documents.files(self.jobs, job, context.root) or None
            return reshape(reply)

        with line or nullcontext():
            if (
                plan.request.variant.service
                and preferred.media == preferences.JSON
                and not preferred.explicit
            ):
                headers = {"Location": job_documents.url(job, context.root)}
                return envelope_response(context, reply_to(self.wait_for_start(job)), headers)
            return self.respond(context, job, line, preferred, reply_to)

    def send_reading(
        self,
        context: RequestContext,
        plan: Plan,
        reading: Reading,
        preferred: preferences.Preferences,
        reshape: Callable[[Reply], Reply],
    ) -> Response:
        """Respond with what an endpoint read that runs nothing.

        :param context: the request
        :param plan: the plan of the request
        :param reading: what was read
        :param preferred: the preferences of the request
        :param reshape: changes the reply
        """
        if preferred.media != preferences.TEXT:
            fields = {**plan.fields, "output": reading.text, "result": reading.result}
            return envelope_response(context, reshape(Reply(fields)))
        if reading.parts is None:
            return text_response(encode_text(reading.text), 200, {})
        left = max(0.0, self.max_wait - (envelope.now() - context.time).total_seconds())
        with ExitStack() as stack:
            turn = Turn(context.connection, math.inf)
            if reading.waits:
                turn = stack.enter_context(self.waiting.take_turn(context.connection, left))
            parts = streaming.stream_parts(reading.parts, turn)
            response = streamed_response(parts, "text/plain; charset=utf-8", {})
            response.call_on_close(stack.pop_all().close)
            return response

    def respond(
        self,
        context: RequestContext,
        job: Job,
        line: CompletionChannel | None,
        preferred: preferences.Preferences,
        reply_to: Callable[[Job], Reply],
    ) -> Response:
        """Wait for a job, or stream its output, and respond.

        :param context: the request
        :param job: the job
        :param line: announces the end of the job; None if nothing does
        :param preferred: the preferences of the request
        :param reply_to: returns the reply to the request
        """
        headers = {"Location": job_documents.url(job, context.root), **preferred.applied_headers}
        streams, text = preferred.media != preferences.JSON, preferred.media == preferences.TEXT
        # Starting the command may have taken long already, and the web server's timeout runs from the
        # beginning of the request.
        left = max(0.0, self.max_wait - (envelope.now() - context.time).total_seconds())
        # Whoever reads events can follow the job afterward. A text would only break off.
        short = is_sync(context.connection) and not text
        wait = left if streams and not preferred.explicit and not short else min(preferred.wait, left)
        with ExitStack() as stack:
            turn = stack.enter_context(self.waiting.take_turn(context.connection, wait))
            if turn.shortened:
                headers.pop("Preference-Applied", None)
            # A text that is cut short would look like a broken connection, so it is sent as a whole.
            if not streams or (text and turn.shortened):
                # A client that does not wait gets 202 for every new command, however fast that is.
                if turn.seconds > 0 or line is None:
                    job = self.jobs.wait(job, line, turn.seconds, turn.is_over, record=streams)
                context.notes.unrecorded = job if job.state.final else None
                if not streams or not job.state.final:
                    return envelope_response(context, reply_to(job), headers)
            response = self.stream(context, job, preferred.media, turn, reply_to, headers)
            if response.is_streamed:
                response.call_on_close(stack.pop_all().close)
            return response

    def wait_of(self, context: RequestContext, knows_jobs: bool) -> float:
        """Return how long a request waits that does not say so, in seconds.

        :param context: the request
        :param knows_jobs: whether its client may know what to do with a job; those of the 1.0.x plugin do not
        """
        return self.default_wait_sync if knows_jobs and is_sync(context.connection) else self.default_wait

    def wait_for_start(self, job: Job) -> Job:
        """Wait until a service has a process, and return its job."""
        deadline = time.monotonic() + SERVICE_START_SECONDS
        while job.state is JobState.QUEUED and time.monotonic() < deadline:
            job = self.jobs.wait(job, None, 0.02)
        return job

    def stream(
        self,
        context: RequestContext,
        job: Job,
        media: str,
        turn: Turn,
        reply_to: Callable[[Job], Reply],
        headers: dict[str, str],
    ) -> Response:
        """Respond with the output of a job while it runs.

        :param context: the request
        :param job: the job
        :param media: ``TEXT`` or ``EVENTS``
        :param turn: how long to follow the job
        :param reply_to: returns the reply to the request
        :param headers: further headers
        """
        if media == preferences.EVENTS:
            body = streaming.stream_events(
                self.jobs,
                job,
                turn,
                lambda job: job_documents.full(job, context.root),
                lambda job: make_envelope(context, reply_to(job)),
            )
            return streamed_response(body, preferences.EVENTS, headers)
        blocks = streaming.stream_text(self.jobs, job, turn)
        try:
            first = next(blocks, b"")
        except streaming.Unfinished:
            return envelope_response(context, reply_to(self.jobs.refresh(job)), headers)
        job = self.jobs.refresh(job)
        reply = reply_to(job) if job.state.final and not first else Reply()
        context.notes.error = reply.error
        if reply.error is not None:  # nothing has been sent yet, so the status can still report the failure
            message = encode_text(f"{reply.error.message}\n")
            return text_response(message, reply.error.status, headers)
        return streamed_response(chain([first], blocks), "text/plain; charset=utf-8", headers)
