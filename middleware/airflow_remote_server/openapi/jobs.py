"""The routes of jobs (``jobs.routes``)."""

from __future__ import annotations

from typing import Any

from airflow_remote_server.jobs.resource import LARGEST_PAGE, LONGEST_TEXT
from airflow_remote_server.openapi.schemas import (
    FLAG,
    JSON,
    STATE,
    STRING,
    TEXT,
    Schema,
    answer,
    listed,
    ref,
    responses,
)

NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
WORDS: Schema = {"type": "string", "maxLength": LONGEST_TEXT, "pattern": "^[^\\u0000]*$"}
JOB_ID: Schema = {
    "name": "job_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}


def parameter(name: str, description: str, schema: Schema, **more: Any) -> Schema:
    """A parameter of a query."""
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def _get(name: str, summary: str, parameters: list[Schema], answered: Schema) -> Schema:
    return {
        "get": {
            "operationId": name,
            "tags": ["jobs"],
            "summary": summary,
            "x-read-only": True,
            "parameters": parameters,
            "responses": answered,
        }
    }


_STATES = parameter("state", "Only these", listed(STATE), style="form", explode=False)
COMMAND = parameter("command", "An endpoint, or how a command line begins; `*` is any text", WORDS)
LIMIT = parameter("limit", f"Most of them, up to {LARGEST_PAGE}", NUMBER)
BEFORE = parameter("before", "`next` of the page before", WORDS)
_STREAM = parameter("stream", "Which of the two", {"type": "string", "enum": ["stdout", "stderr"]})
_OFFSET = parameter("offset", "In bytes", NUMBER)
_WAIT = parameter("wait", "Most seconds to wait for more", NUMBER)
_NAME: Schema = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "As the job's `files` tell it",
    "schema": {"type": "string", "pattern": "^[^/\\u0000]+$"},
}
_OUTPUT = answer("Some of it, once there is any", ref("Output"), Airflow_Remote_Next_Offset="NextOffset")
_OUTPUT["content"][TEXT] = {"schema": {"type": "string", "description": "The bytes as they are"}}
_FORCE: Schema = {
    "type": "object",
    "properties": {"force": {**FLAG, "description": "At once, by SIGKILL"}},
    "additionalProperties": False,
}

PATHS: dict[str, Schema] = {
    "/jobs": _get(
        "jobs",
        "The jobs, newest first",
        [_STATES, COMMAND, parameter("principal", "Who asked for them", WORDS), LIMIT, BEFORE],
        responses(_200=answer("A page of them", ref("Jobs"))),
    ),
    "/jobs/{job_id}": _get(
        "job", "A job", [JOB_ID], responses(_200=answer("The job", ref("Job")), _404="Missing")
    ),
    "/jobs/{job_id}/output": _get(
        "output",
        "What a job prints",
        [JOB_ID, _STREAM, _OFFSET, _WAIT],
        responses(_200=_OUTPUT, _404="Missing", _409="Conflict"),
    ),
    "/jobs/{job_id}/files/{name}": _get(
        "file",
        "A file that a job has written",
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
                _200=answer("It has ended", ref("Job")),
                _202=answer("It is being stopped", ref("Job")),
                _404="Missing",
                _409="Conflict",
                _408="Slow",
                _413="Large",
            ),
        }
    },
}
