"""The route that runs many commands in one request."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server import envelope
from airflow_remote_server.errors import ApiError
from airflow_remote_server.execution.batch_progress import BatchProgress
from airflow_remote_server.execution.spool import STDERR, STDOUT
from airflow_remote_server.http import job_documents, preferences
from airflow_remote_server.http.batch_body import BatchBody
from airflow_remote_server.http.batch_planning import NAME, BatchPlanner, InvalidBatch
from airflow_remote_server.http.connection import is_sync
from airflow_remote_server.http.responses import Reply, envelope_response, make_envelope, streamed_response
from airflow_remote_server.http.streaming import stream_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Request, Response

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.execution.client import CompletionChannel
    from airflow_remote_server.http.dispatch import CommandDispatcher
    from airflow_remote_server.http.planning import Planner
    from airflow_remote_server.http.preferences import Preferences
    from airflow_remote_server.http.responses import RequestContext
    from airflow_remote_server.jobs.models import Job


class BatchRoutes:
    """Serve the route of batches.

    :param planner: plans the commands
    :param dispatcher: waits for the job
    :param settings: limits
    """

    def __init__(self, planner: Planner, dispatcher: CommandDispatcher, settings: Settings) -> None:
        self.batches = BatchPlanner(planner)
        self.jobs = planner.jobs
        self.dispatcher = dispatcher
        self.settings = settings

    @property
    def handlers(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by the endpoint of their routes."""
        return {NAME: self.run}

    def run(self, context: RequestContext) -> Response:
        """Serve ``POST /api/v1.0/batch``."""
        context.notes.name = context.notes.command = NAME
        try:
            preferred = read_preferences(
                context.request, self.dispatcher.max_wait, self.dispatcher.wait_of(context, knows_jobs=True)
            )
            body = BatchBody(context.request, self.settings)
            batch = self.batches.plan(body.items(), context.principal)
            context.notes.command = batch.title
            job, channel = self.batches.submit(batch, body.options(), context.principal, preferred.key)
            context.notes.job = job.id
        except ApiError as error:
            fields = error.fields if isinstance(error, InvalidBatch) else {}
            return envelope_response(context, Reply({"airflow_cmd": NAME, **fields}, error))
        with channel or nullcontext():
            return self._respond(context, job, channel, preferred)

    def _respond(
        self,
        context: RequestContext,
        job: Job,
        channel: CompletionChannel | None,
        preferred: Preferences,
    ) -> Response:
        """Follow a batch, or wait for its end, and respond."""
        if preferred.media == preferences.JSON or (preferred.explicit and not preferred.wait):
            preferred = replace(preferred, media=preferences.JSON)
            return self.dispatcher.respond(
                context, job, channel, preferred, lambda job: self._reply(context, job, whole=True)
            )
        headers = {"Location": job_documents.url(job, context.root), **preferred.applied_headers}
        left = max(0.0, self.dispatcher.max_wait - (envelope.now() - context.time).total_seconds())
        short = preferred.explicit or is_sync(context.connection)  # the client can follow the job afterward
        wait = min(preferred.wait, left) if short else left
        with ExitStack() as stack:
            turn = stack.enter_context(self.dispatcher.waiting.take_turn(context.connection, wait))
            if turn.shortened:
                headers.pop("Preference-Applied", None)
            body = stream_lines(
                self.jobs, job, turn, lambda job: make_envelope(context, self._reply(context, job))
            )
            response = streamed_response(body, preferences.EVENTS, headers)
            response.call_on_close(stack.pop_all().close)
            return response

    def _reply(self, context: RequestContext, job: Job, whole: bool = False) -> Reply:
        """Return the reply about a batch as a whole.

        :param whole: whether the reply has its output, which is the lines of its commands
        """
        ended = job.state.final
        context.notes.ended = job if ended else None
        summary = BatchProgress(self.jobs.spools.spool_of(job)).summary(ended) or {}
        fields: dict[str, Any] = {
            "airflow_cmd": job.command,
            "arguments": job_documents.arguments_of(job),
            "job": job_documents.brief(job, context.root),
            "result": summary,
        }
        if not ended:
            state = "is running" if job.state.value == "running" else "is queued"
            return Reply({**fields, "output": f"{NAME} {state} as job {job.id}"}, status=202)
        if whole:
            fields["exit_code"] = job.exit_code
            results = self.jobs.results
            fields["stdout"] = results.output_text(job, STDOUT)
            fields["stderr"] = results.output_text(job, STDERR)
        error = self.jobs.results.failure_of(job)
        if error is not None:
            return Reply({**fields, "output": error.message}, error)
        return Reply({**fields, "output": f"all {summary.get('commands', 0)} commands succeeded"})


def read_preferences(request: Request, max_wait: float, default_wait: float) -> Preferences:
    """Read the preferences of a request for a batch: lines of JSON unless it prefers a single document.

    :param request: the request
    :param max_wait: the maximum time that a request may wait, in seconds
    :param default_wait: how long it waits if it does not say so, in seconds
    :raises BadArguments: if the Idempotency-Key is invalid
    """
    media = request.accept_mimetypes.best_match([preferences.EVENTS, preferences.JSON], preferences.EVENTS)
    return replace(preferences.read(request, max_wait, default_wait), media=media)
