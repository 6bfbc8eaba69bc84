"""Describe the route of batches."""

from __future__ import annotations

from airflow_remote_server.http.batch_body import MAX_COMMANDS
from airflow_remote_server.http.openapi.commands import RESPONSES
from airflow_remote_server.http.openapi.schemas import (
    CODE,
    COUNT,
    ERROR,
    FLAG,
    STRING,
    WORD,
    Schema,
    array,
    record,
    ref,
    response,
)
from airflow_remote_server.http.preferences import EVENTS, JSON

_COMMAND = {
    **record(
        "A command",
        "command",
        command={
            "type": "string",
            "description": "Its name, such as `dags pause`, or that of a classic endpoint",
        },
        arguments={"type": ["object", "null"], "description": "Its arguments, as for a single command"},
    ),
    "additionalProperties": False,
}
_OPTIONS: dict[str, Schema] = {
    "parallel": {
        "type": "integer",
        "minimum": 1,
        "default": 1,
        "description": "How many commands may run at once, at most `max_running`",
    },
    "stop_on_failure": {**FLAG, "default": False, "description": "Begin no command after one has failed"},
}
_BODY: Schema = {
    "type": "object",
    "required": ["commands"],
    "properties": {
        "commands": {"type": "array", "minItems": 1, "maxItems": MAX_COMMANDS, "items": _COMMAND},
        **_OPTIONS,
    },
    "additionalProperties": False,
}
_RAN = response("The results", ref("Envelope"), Location="Location", Preference_Applied="PreferenceApplied")
_RAN["content"] = {
    EVENTS: {"schema": {"type": "string", "description": "A `BatchLine` as JSON on each line"}},
    **_RAN["content"],
}

_RESULT = record(
    "How many commands of a batch are in each state, and which of them run",
    "commands succeeded failed",
    commands=COUNT,
    succeeded=COUNT,
    failed=COUNT,
    running=array(COUNT),
    queued=COUNT,
    lost={**array(COUNT), "description": "The commands that began and whose end is unknown"},
    not_run=COUNT,
)

SCHEMAS: dict[str, Schema] = {
    "BatchResult": _RESULT,
    "BatchLine": record(
        "The envelope of a command of a batch; in the last line, without an index, that of the batch",
        "airflow_cmd arguments output status http_response_code",
        index={**COUNT, "description": "The position of the command in the batch, from 0"},
        command={"type": "string", "description": "The name of the command"},
        seconds={"type": "number", "description": "How long the command took"},
        airflow_cmd=STRING,
        arguments={"type": "object"},
        output=STRING,
        status=WORD,
        http_response_code={"type": "integer"},
        exit_code=CODE,
        error=ERROR,
    ),
    "BatchCommands": record(
        "The commands of a batch",
        "commands",
        commands=array(
            record(
                "A command of a batch",
                "index command airflow_cmd state",
                index=COUNT,
                command=STRING,
                airflow_cmd={"type": "string", "description": "The command line, secrets masked"},
                state={
                    "type": "string",
                    "enum": ["queued", "running", "succeeded", "failed", "not_run", "lost"],
                },
            )
        ),
    ),
}

PATHS: dict[str, Schema] = {
    "/batch": {
        "post": {
            "operationId": "batch",
            "tags": ["jobs"],
            "summary": "Run many commands as one job",
            "description": "Nothing runs if a command is invalid or not permitted. The response has a line "
            "for each command as it ends.",
            "x-read-only": False,
            "parameters": [
                *(
                    {"name": name, "in": "query", "schema": schema, "description": schema["description"]}
                    for name, schema in _OPTIONS.items()
                ),
                ref("Prefer", "parameters"),
                ref("IdempotencyKey", "parameters"),
            ],
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": _BODY},
                    EVENTS: {
                        "schema": {
                            "type": "string",
                            "description": "A command as JSON on each line; the options are in the query",
                        }
                    },
                },
            },
            "responses": {**RESPONSES, "200": _RAN},
        }
    },
}
