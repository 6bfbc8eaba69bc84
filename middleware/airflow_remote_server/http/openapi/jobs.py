"""Describe the routes of jobs."""

from __future__ import annotations

from typing import Any

from airflow_remote_server.http.openapi.schemas import (
    FLAG,
    STATE,
    STREAM,
    STRING,
    Schema,
    array,
    ref,
    response,
    responses,
)
from airflow_remote_server.http.parameters import CURSOR, MAX_PAGE, MAX_TEXT_LENGTH
from airflow_remote_server.http.preferences import JSON, TEXT

NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
TEXT_PARAMETER: Schema = {"type": "string", "maxLength": MAX_TEXT_LENGTH, "pattern": "^[^\\u0000]*$"}
JOB_ID: Schema = {
    "name": "job_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}


def parameter(name: str, description: str, schema: Schema, **more: Any) -> Schema:
    """Return a query parameter.

    :param name: the name of the parameter
    :param description: one line
    :param schema: the schema of its value
    :param more: further fields
    """
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def _get(name: str, summary: str, parameters: list[Schema], by_status: Schema) -> Schema:
    return {
        "get": {
            "operationId": name,
            "tags": ["jobs"],
            "summary": summary,
            "x-read-only": True,
            "parameters": parameters,
            "responses": by_status,
        }
    }


_STATES = parameter("state", "Only jobs in these states", array(STATE), style="form", explode=False)
COMMAND = parameter(
    "command",
    "Only this endpoint, or command lines that begin with this text; `*` matches any text",
    TEXT_PARAMETER,
)
_PRINCIPAL = parameter("principal", "Only jobs of this principal", TEXT_PARAMETER)
LIMIT = parameter("limit", f"Size of the page, at most {MAX_PAGE}", NUMBER)
BEFORE = parameter(
    "before",
    "`next` of the previous page, which may be empty although another one follows",
    {"type": "string", "pattern": f"^{CURSOR.pattern}$"},
)
_STREAM = parameter("stream", "The stream to read", STREAM)
_OFFSET = parameter("offset", "In bytes", NUMBER)
_WAIT = parameter("wait", "Maximum number of seconds to wait for more output", NUMBER)
_NAME: Schema = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "A name from the job's `files`",
    "schema": {"type": "string", "pattern": "^[^/\\u0000]+$"},
}
_OUTPUT = response(
    "Some output, as soon as there is any",
    ref("Output"),
    Airflow_Remote_Next_Offset="NextOffset",
    Airflow_Remote_Job_State="JobState",
    Airflow_Remote_Output_Sizes="OutputSizes",
)
_OUTPUT["content"][TEXT] = {"schema": {"type": "string", "description": "The bytes as they are"}}
_FORCE: Schema = {
    "type": "object",
    "properties": {"force": {**FLAG, "description": "Send SIGKILL to all its processes at once"}},
    "additionalProperties": False,
}

PATHS: dict[str, Schema] = {
    "/jobs": _get(
        "jobs",
        "List jobs, newest first",
        [_STATES, COMMAND, _PRINCIPAL, LIMIT, BEFORE],
        responses(_200=response("A page of jobs", ref("Jobs"))),
    ),
    "/jobs/{job_id}": {
        **_get(
            "job", "Show a job", [JOB_ID], responses(_200=response("The job", ref("Job")), _404="Missing")
        ),
        "delete": {
            "operationId": "delete_job",
            "tags": ["jobs"],
            "summary": "Delete an ended job with its output; only for an admin without restrictions",
            "x-read-only": False,
            "parameters": [JOB_ID],
            "responses": responses(
                _200=response("The job as it was", ref("Job")), _404="Missing", _409="Conflict"
            ),
        },
    },
    "/jobs/{job_id}/output": _get(
        "output",
        "Read a job's output",
        [JOB_ID, _STREAM, _OFFSET, _WAIT],
        responses(_200=_OUTPUT, _404="Missing", _409="Conflict"),
    ),
    "/jobs/{job_id}/commands": _get(
        "batch_commands",
        "List the commands of a batch, and the state of each",
        [JOB_ID],
        responses(_200=response("The commands", ref("BatchCommands")), _404="Missing", _409="Conflict"),
    ),
    "/jobs/{job_id}/files/{name}": _get(
        "file",
        "Download a file that a job has written",
        [JOB_ID, _NAME],
        responses(
            _200={"description": "The file", "content": {"application/octet-stream": {"schema": STRING}}},
            _404="Missing",
            _409="Conflict",
        ),
    ),
    "/jobs/{job_id}/stop": {
        "post": {
            "operationId": "stop",
            "tags": ["jobs"],
            "summary": "Stop a job",
            "x-read-only": False,
            "parameters": [JOB_ID, ref("Prefer", "parameters")],
            "requestBody": {"content": {JSON: {"schema": _FORCE}}},
            "responses": responses(
                _200=response("The job has ended", ref("Job")),
                _202=response("The job is being stopped", ref("Job")),
                _404="Missing",
                _409="Conflict",
                _408="Slow",
                _413="Large",
                _415="Compressed",
            ),
        }
    },
}
