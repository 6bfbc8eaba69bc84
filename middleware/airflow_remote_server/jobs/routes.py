"""The routes of jobs: what they take, and how their answers are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.routing import Rule

from airflow_remote_server import arguments, delivery
from airflow_remote_server.jobs import resource
from airflow_remote_server.responses import download, plain, respond

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from airflow_remote_server.jobs.service import Jobs
    from airflow_remote_server.responses import Call
    from airflow_remote_server.settings import Settings

RULES = (
    Rule("/api/v1.0/jobs", endpoint="jobs", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>", endpoint="job", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>/output", endpoint="output", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>/files/<path:name>", endpoint="file", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>/stop", endpoint="stop", methods=["POST"]),
)

STOP_SECONDS = 2.0
"""How long it may take from a signal to an end that is written down."""


def whose(call: Call) -> str | None:
    """Whose jobs a request may know of; None for everybody's."""
    return None if call.principal.permit.unrestricted else call.principal.name


class JobRoutes:
    """Answers requests for jobs.

    :param jobs: all of them
    :param settings: limits
    """

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self.jobs = jobs
        self.settings = settings

    @property
    def handlers(self) -> dict[str, Callable[..., Response]]:
        """What answers each of the rules, by its endpoint."""
        return {
            "jobs": self.listing,
            "job": self.single,
            "output": self.output,
            "file": self.file,
            "stop": self.stop,
        }

    def listing(self, call: Call) -> Response:
        """``GET /api/v1.0/jobs``."""
        return respond(resource.listing(self.jobs, self.query(call), call.root, whose(call)), 200)

    def single(self, call: Call, job_id: str) -> Response:
        """``GET /api/v1.0/jobs/ID``."""
        return respond(resource.single(self.jobs, self.jobs.get(job_id, whose(call)), call.root), 200)

    def output(self, call: Call, job_id: str) -> Response:
        """``GET /api/v1.0/jobs/ID/output``."""
        longest = self.settings.max_wait
        media = delivery.read(call.request, longest).media
        query = self.query(call)
        said, offset = resource.output(self.jobs, job_id, query, media, longest, whose(call))
        headers = {"Airflow-Remote-Next-Offset": offset}
        if isinstance(said, bytes):
            return plain(said, 200, headers)
        return respond(said, 200, headers)

    def file(self, call: Call, job_id: str, name: str) -> Response:
        """``GET /api/v1.0/jobs/ID/files/NAME``."""
        return download(call.request, resource.file(self.jobs, job_id, name, whose(call)))

    def stop(self, call: Call, job_id: str) -> Response:
        """``POST /api/v1.0/jobs/ID/stop``."""
        settings = self.settings
        query, body = arguments.read(call.request, settings.max_body_bytes, settings.body_timeout)
        wanted = resource.Query(arguments.merge(query, body))
        force = wanted.flag("force")
        wanted.end()
        wait = delivery.read(call.request, self.settings.max_wait).wait
        call.notes.name, call.notes.job = "stop", job_id
        job = self.jobs.get(job_id, whose(call))
        call.notes.command = job.command
        if job.state.final:
            return respond(resource.full(job, call.root), 200)
        self.jobs.stop(job, force)
        job = self.jobs.wait(job, None, min(wait, self.settings.stop_grace + STOP_SECONDS))
        return respond(resource.full(job, call.root), 200 if job.state.final else 202)

    def query(self, call: Call) -> arguments.Given:
        """The arguments of a request that has no body."""
        return arguments.query(call.request)
