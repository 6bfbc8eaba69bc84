"""A request for a command: from its arguments to a job, and from the job to a response as it is preferred."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from airflow_remote_server import __version__, delivery, envelope, streaming
from airflow_remote_server.errors import ApiError
from airflow_remote_server.jobs import State, resource
from airflow_remote_server.responses import Answer, document, finish, plain, streamed

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from airflow_remote_server.arguments import Given
    from airflow_remote_server.catalogue.spec import Endpoint
    from airflow_remote_server.endpoints import Endpoints
    from airflow_remote_server.jobs import Job
    from airflow_remote_server.jobs.service import Jobs
    from airflow_remote_server.responses import Call

SERVICE_SECONDS = 2.0
"""How long a service may take to get a process, before it is answered for."""


class Commands:
    """Runs what requests ask for.

    :param endpoints: what can be asked for
    :param jobs: all of them
    :param longest_wait: seconds that a request may wait
    """

    def __init__(self, endpoints: Endpoints, jobs: Jobs, longest_wait: float) -> None:
        self.endpoints = endpoints
        self.jobs = jobs
        self.longest_wait = longest_wait

    def __call__(
        self,
        call: Call,
        endpoint: Endpoint,
        given: Given,
        ignore_unknown: bool = False,
        reshape: Callable[[Answer], Answer] = lambda answer: answer,
    ) -> Response:
        """Do what a request asks an endpoint for, and deliver the answer as the request prefers."""
        call.notes.name = endpoint.name
        try:
            self.endpoints.admit(endpoint, call.principal)
            how = delivery.read(call.request, self.longest_wait)
            plan = self.endpoints.plan(endpoint, given, ignore_unknown, call.principal.permit)
            call.notes.command = plan.said["airflow_cmd"]
            if endpoint.name == "rest_api_plugin_version":
                return finish(call, reshape(Answer({**plan.said, "output": __version__})))
            job, line = self.endpoints.submit(plan, call.principal, how.key)
            call.notes.job = job.id
        except ApiError as error:
            given_back = self.endpoints.echo(endpoint, given)
            call.notes.command = call.notes.command or f"{endpoint.name} {json.dumps(given_back)}"
            return finish(call, reshape(Answer({"arguments": given_back}, error)))

        def answer(job: Job) -> Answer:
            said = self.endpoints.answer(plan, job)
            said.fields["job"] = resource.brief(job, call.root)
            said.fields["files"] = resource.files(self.jobs, job, call.root) or None
            return reshape(said)

        headers = {"Location": resource.url(job, call.root), **how.applied}
        # To start it may have taken long already, and the webserver counts from the request's beginning.
        left = max(0.0, self.longest_wait - (envelope.now() - call.time).total_seconds())
        how = replace(how, wait=min(how.wait, left))
        with line or nullcontext():
            if how.media != delivery.JSON:
                return self.stream(call, job, how.wait if how.asked else left, how.media, answer, headers)
            if plan.form.service and not how.asked:
                return finish(call, answer(self.begun(job)), headers)
            return finish(call, answer(self.jobs.wait(job, line, how.wait)), headers)

    def begun(self, job: Job) -> Job:
        """A service once it has a process: it is answered at once."""
        deadline = time.monotonic() + SERVICE_SECONDS
        while job.state is State.QUEUED and time.monotonic() < deadline:
            job = self.jobs.wait(job, None, 0.02)
        return job

    def stream(
        self,
        call: Call,
        job: Job,
        seconds: float,
        media: str,
        answer: Callable[[Job], Answer],
        headers: dict[str, str],
    ) -> Response:
        """Deliver output as it comes."""
        if media == delivery.EVENTS:
            body = streaming.events(
                self.jobs,
                job,
                seconds,
                lambda job: resource.full(job, call.root),
                lambda job: document(call, answer(job)),
            )
            return streamed(body, "application/x-ndjson", headers)
        pieces = streaming.text(self.jobs, job, seconds)
        try:
            first = next(pieces, b"")
        except streaming.Unfinished:
            return finish(call, answer(self.jobs.settle(job)), headers)
        job = self.jobs.settle(job)
        said = answer(job) if job.state.final and not first else Answer()
        call.notes.error = said.error
        if said.error is not None:  # nothing has been sent yet, so the status can still tell
            return plain(f"{said.error.message}\n".encode(), said.error.status, headers)
        return streamed(chain([first], pieces), "text/plain; charset=utf-8", headers)
