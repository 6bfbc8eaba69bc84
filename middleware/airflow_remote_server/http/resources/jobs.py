"""The routes of jobs: list, show, read output, download files, stop, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.auth.permissions import refused_by
from airflow_remote_server.errors import BadArguments, NotFound
from airflow_remote_server.execution.batch_progress import BatchProgress
from airflow_remote_server.execution.spool import FILES, STDERR, STDOUT
from airflow_remote_server.http import arguments, job_documents, preferences
from airflow_remote_server.http.parameters import Parameters
from airflow_remote_server.http.resources.job_output import OutputRange, read_output
from airflow_remote_server.http.responses import file_response, json_response, text_response
from airflow_remote_server.jobs.audit.table import STOP
from airflow_remote_server.jobs.models import JobState
from airflow_remote_server.util.file_names import shown_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.http.responses import RequestContext
    from airflow_remote_server.http.waiting import WaitingRequests
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService

STOP_SECONDS = 2.0
"""The maximum time, in seconds, from a signal to the recorded end of a job."""


class JobRoutes:
    """Serve the routes of jobs.

    :param jobs: the service that runs the jobs
    :param waiting: the requests that wait
    :param settings: limits
    """

    def __init__(self, jobs: JobService, waiting: WaitingRequests, settings: Settings) -> None:
        self.jobs = jobs
        self.waiting = waiting
        self.settings = settings

    @property
    def handlers(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by the endpoint of their routes."""
        return {
            "jobs": self.list_jobs,
            "job": self.show,
            "output": self.read_output,
            "batch_commands": self.list_commands,
            "file": self.download,
            "stop": self.stop,
            "delete": self.delete,
        }

    def list_jobs(self, context: RequestContext) -> Response:
        """Serve ``GET /api/v1.0/jobs``.

        :raises BadArguments: if a parameter is invalid
        """
        parameters = Parameters(arguments.read_query(context.request))
        states = _states(parameters.text("state"))
        limit = parameters.page_size()
        command, before = parameters.text("command"), parameters.cursor("before")
        principal, visible = parameters.text("principal"), visible_principal(context)
        parameters.reject_unknown()
        if visible is not None and principal not in (None, visible):
            return json_response({"jobs": [], "next": None}, 200)
        jobs, following = self.jobs.find_page(
            states, command=command, principal=visible or principal, before=before, limit=limit
        )
        page = [job_documents.full(job, context.root) for job in jobs]
        return json_response({"jobs": page, "next": following}, 200)

    def show(self, context: RequestContext, job_id: str) -> Response:
        """Serve ``GET /api/v1.0/jobs/ID``.

        :raises NotFound: if there is no such job
        """
        job = self.get(context, job_id)
        return json_response(job_documents.detailed(self.jobs, job, context.root), 200)

    def list_commands(self, context: RequestContext, job_id: str) -> Response:
        """Serve ``GET /api/v1.0/jobs/ID/commands``: the commands of a batch, and the state of each.

        :raises NotFound: if there is no such job, or it is no batch
        :raises Conflict: if another machine has the job's spool, and does not share it
        """
        job = self.get(context, job_id)
        self.jobs.spools.require_readable(job)
        commands = [*BatchProgress(self.jobs.spools.spool_of(job)).commands(job.state.final)]
        if not commands:
            raise NotFound(f"job {job.id} is not a batch: it has no commands")
        return json_response({"commands": commands}, 200)

    def read_output(self, context: RequestContext, job_id: str) -> Response:
        """Serve ``GET /api/v1.0/jobs/ID/output``.

        :raises BadArguments: if a parameter is invalid
        :raises NotFound: if there is no such job
        :raises Conflict: if another machine has the job's spool, and does not share it
        """
        max_wait = self.settings.max_wait
        media = preferences.read(context.request, max_wait).media
        parameters = Parameters(arguments.read_query(context.request))
        part = OutputRange.from_parameters(parameters, max_wait)
        job = self.get(context, job_id)
        self.jobs.spools.require_readable(job)
        with self.waiting.take_turn(context.connection, part.wait, poll=True) as turn:
            body, next_offset, job = read_output(self.jobs, job, part, media, turn)
        spool = self.jobs.spools.spool_of(job)
        sizes = (f"{stream}={spool.size(stream)}" for stream in (STDOUT, STDERR))
        headers = {
            "Airflow-Remote-Next-Offset": str(next_offset),
            "Airflow-Remote-Job-State": job.state.value,
            "Airflow-Remote-Output-Sizes": ", ".join(sizes),
        }
        if isinstance(body, bytes):
            return text_response(body, 200, headers)
        return json_response(body, 200, headers)

    def download(self, context: RequestContext, job_id: str, name: str) -> Response:
        """Serve ``GET /api/v1.0/jobs/ID/files/NAME``.

        :raises NotFound: if there is no such job, or it has no such file
        :raises Conflict: if another machine has the job's spool, and does not share it
        """
        job = self.get(context, job_id)
        self.jobs.spools.require_readable(job)
        folder = self.jobs.spools.spool_of(job)
        # Accept only names that a walk through the spool finds: no name leads out of it.
        folder.require_output()
        stored = {shown_name(existing): existing for existing, _ in folder.files()}
        if name not in stored:
            raise NotFound(f"job {job.id} has no file {name[:80]!r}")
        return file_response(context.request, folder.path / FILES / stored[name], name.rpartition("/")[2])

    def stop(self, context: RequestContext, job_id: str) -> Response:
        """Serve ``POST /api/v1.0/jobs/ID/stop``.

        :raises BadArguments: if a parameter is invalid
        :raises NotFound: if there is no such job
        :raises Conflict: if another machine has the job's spool, and does not share it
        """
        settings = self.settings
        query, body = arguments.read(context.request, settings.max_body_bytes, settings.body_timeout)
        parameters = Parameters(arguments.merge(query, body))
        force = parameters.flag("force")
        parameters.reject_unknown()
        preferred = preferences.read(context.request, settings.max_wait, settings.default_wait)
        context.notes.name, context.notes.job = STOP, job_id
        job = self.get(context, job_id)
        context.notes.command = job.command
        if not job.state.final:
            job = self.jobs.stop(job, force)
            # A service may take long. Whoever wants to wait for that says so.
            grace = self.jobs.grace_of(job) if preferred.explicit else settings.stop_grace
            longest = min(preferred.wait, grace + STOP_SECONDS)
            with self.waiting.take_turn(context.connection, longest) as turn:
                job = self.jobs.wait(job, None, turn.seconds, turn.is_over)
        context.notes.ended = job if job.state.final else None
        status = 200 if job.state.final else 202
        return json_response(job_documents.full(job, context.root), status)

    def delete(self, context: RequestContext, job_id: str) -> Response:
        """Serve ``DELETE /api/v1.0/jobs/ID``: delete an ended job, and return it as it was.

        :raises Refused: unless the principal is an admin without restrictions
        :raises NotFound: if there is no such job
        :raises Conflict: if the job has not ended, or another machine has its spool and does not share it
        """
        context.notes.name, context.notes.job = "delete", job_id
        permissions = context.principal.permissions
        if not permissions.unrestricted:
            raise refused_by(
                "role", f"only an admin without restrictions deletes jobs, not {permissions.role.name!r}"
            )
        Parameters(arguments.read_query(context.request)).reject_unknown()
        job = self.get(context, job_id)
        context.notes.command = job.command
        context.notes.ended = job if job.state.final else None
        self.jobs.delete(job)
        return json_response(job_documents.full(job, context.root), 200)

    def get(self, context: RequestContext, job_id: str) -> Job:
        """Return a job that a principal may see.

        :raises NotFound: if there is no such job
        """
        return self.jobs.get(job_id, visible_principal(context))


def visible_principal(context: RequestContext) -> str | None:
    """Return the principal whose jobs a request may see; None for the jobs of all."""
    return None if context.principal.permissions.unrestricted else context.principal.name


def _states(text: str | None) -> set[JobState]:
    words = [word for word in (text or "").split(",") if word]
    known = [state.value for state in JobState]
    unknown = next((word for word in words if word not in known), None)
    if unknown is not None:
        raise BadArguments(f"'state' must be one or more of {', '.join(known)}, not {unknown[:40]!r}")
    return {JobState(word) for word in words}
