"""Make the reply to a request from its job: output, failure, and the JSON that the command printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.spec import AS_JSON
from airflow_remote_server.deploy import requests
from airflow_remote_server.execution.failures import last_line
from airflow_remote_server.execution.spool import STDERR, STDOUT
from airflow_remote_server.http.responses import Reply
from airflow_remote_server.util import strict_json

if TYPE_CHECKING:
    from airflow_remote_server.http.handlers import ValidatedRequest
    from airflow_remote_server.http.planning import Plan
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
    error = results.failure_of(job)
    if error is not None:
        return Reply({**fields, "output": error.message}, error)
    fields["warning"] = results.outcome_of(job).message or None
    return Reply({**fields, **json_fields(plan.request, stdout, output)})


def json_fields(request: ValidatedRequest, stdout: str, output: str) -> dict[str, Any]:
    """Return the fields of a reply that come from the JSON that a command printed.

    :param request: the request
    :param stdout: the command's stdout
    :param output: its stdout or log lines, stripped
    """
    variant = request.variant
    if AS_JSON[0] not in variant.fixed and request.values.get("output") != "json":
        return {}
    result = parse_output(stdout)
    fields: dict[str, Any] = {"result": result}
    if result is None and output and variant.fixed:
        # Exit code 0, yet nothing was done: "No unpaused DAGs were found".
        fields["warning"] = f"the command printed no JSON, but: {last_line(output)}"
    if variant.command == ("dags", "trigger") and isinstance(result, list) and result:
        fields["dag_run_id"] = result[0].get("dag_run_id")
    return fields


def parse_output(text: str) -> Any:
    """Return the JSON that a command printed; None if it printed anything else.

    The value becomes part of the response. So JSON that not every parser accepts counts as something else.
    """
    try:
        return strict_json.loads(text)
    except ValueError:
        return None
