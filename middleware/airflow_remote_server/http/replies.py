"""Make the reply to a request from its job: output, failure, and the JSON that the command printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.deploy import requests
from airflow_remote_server.execution.results import output_fields
from airflow_remote_server.execution.spool import STDERR, STDOUT
from airflow_remote_server.http import job_documents
from airflow_remote_server.http.responses import Reply

if TYPE_CHECKING:
    from airflow_remote_server.http.plan import Plan
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService


def make_reply(jobs: JobService, plan: Plan, job: Job) -> Reply:
    """Return the reply to a request.

    :param jobs: the service that runs the job
    :param plan: the plan of the request
    :param job: the job in its current state
    """
    if not job.state.final:
        state = "is running" if job.state.value == "running" else "is queued"
        output = f"{plan.request.endpoint.name} {state} as job {job.id}"
        stopping = job_documents.stopping(job)
        if stopping is not None:
            output = f"{output}: {stopping['message']}"
        return Reply({**plan.fields, "output": output}, status=202)
    results = jobs.results
    stdout, stderr = results.output_text(job, STDOUT), results.output_text(job, STDERR)
    log_is_output = plan.request.variant.log_is_output
    fields = {
        **plan.fields,
        "exit_code": job.exit_code,
        **requests.read_answer(jobs.spools.spool_of(job), job.name),
        **output_fields(job.name, job.command, stdout, stderr, log_is_output),
    }
    error = results.failure_of(job)
    if error is not None:
        return Reply({**fields, "output": error.message}, error)
    return Reply({**fields, "warning": results.warning_of(job, (stdout, stderr)) or None})
