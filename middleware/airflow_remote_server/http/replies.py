"""Make the reply to a request from its job: output, failure, and the JSON that the command printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.deploy import requests
from airflow_remote_server.execution.spool import STDERR, STDOUT
from airflow_remote_server.http.responses import Reply

if TYPE_CHECKING:
    from airflow_remote_server.http.planning import Plan
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService

TRIGGERS = ("trigger_dag", "dags trigger")
"""The endpoints that create a DAG run and print it."""


def make_reply(jobs: JobService, plan: Plan, job: Job) -> Reply:
    """Return the reply to a request.

    :param jobs: the service that runs the job
    :param plan: the plan of the request
    :param job: the job in its current state
    """
    if not job.state.final:
        state = "is running" if job.state.value == "running" else "is queued"
        output = f"{plan.request.endpoint.name} {state} as job {job.id}"
        return Reply({**plan.fields, "output": output}, status=202)
    results = jobs.results
    stdout, stderr = results.output_text(job, STDOUT), results.output_text(job, STDERR)
    output = stdout.removesuffix("\n")
    if plan.request.variant.log_is_output and not output:
        output = stderr.removesuffix("\n")
    fields = {
        **plan.fields,
        "output": output,
        "stdout": stdout,
        "stderr": stderr,
        "exit_code": job.exit_code,
        **requests.read_answer(jobs.spools.spool_of(job), job.name),
    }
    document = results.document_of(job, stdout)
    if document is not None:
        fields["result"] = document
    if job.name in TRIGGERS and document and isinstance(document, list) and isinstance(document[0], dict):
        fields["dag_run_id"] = document[0].get("dag_run_id")
    error = results.failure_of(job)
    if error is not None:
        return Reply({**fields, "output": error.message}, error)
    return Reply({**fields, "warning": results.warning_of(job) or None})
