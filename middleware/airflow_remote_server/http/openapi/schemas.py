"""The OpenAPI components that operations share: envelope, job, errors, events, headers, security schemes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from airflow_remote_server.http.preferences import EVENTS, JSON, TEXT
from airflow_remote_server.jobs.models import JobState

Schema = dict[str, Any]

JSON_TYPES: dict[Any, str | list[str]] = {
    str: "string",
    int: "integer",
    float: "number",
    str | None: ["string", "null"],
    int | None: ["integer", "null"],
}


def ref(name: str, kind: str = "schemas") -> Schema:
    """Return a reference to a component.

    :param name: the name of the component
    :param kind: ``schemas``, ``responses``, ``parameters`` or ``headers``
    """
    return {"$ref": f"#/components/{kind}/{name}"}


def record(description: str, required: str, **properties: Schema) -> Schema:
    """Return the schema of an object.

    :param description: one line
    :param required: names of the properties that are always present, separated by spaces
    :param properties: the known properties; further ones are allowed
    """
    return {
        "type": "object",
        "description": description,
        "required": required.split(),
        "properties": properties,
    }


def array(item: Schema) -> Schema:
    """Return the schema of an array.

    :param item: the schema of its items
    """
    return {"type": "array", "items": item}


def dataclass_properties(record_class: type) -> dict[str, Schema]:
    """Return a schema for each field of a dataclass.

    :param record_class: a dataclass whose fields are text, integers, numbers or None
    """
    types = get_type_hints(record_class)
    return {field.name: {"type": JSON_TYPES[types[field.name]]} for field in fields(record_class)}


STRING: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
CODE: Schema = {
    "type": ["integer", "null"],
    "description": "The negative number of the signal that ended it, if any",
}
ANYTHING: list[Schema] = [
    {"type": "array", "items": {"type": ["object", "string", "number", "boolean", "null"]}},
    {"type": ["object", "string", "number", "boolean", "null"]},
]
"""Any JSON value that a command prints. Not every client generator accepts a schema without a type."""
HTTP_DATE: Schema = {"type": "string", "examples": ["Tue, 29 Nov 2016 14:22:26 GMT"]}
ERROR = record(
    "The failure",
    "type message",
    type=STRING,
    message=STRING,
    problems=array(record("Why a command of a batch cannot run", "index type message", index=COUNT)),
    job=ref("JobInBrief"),
)
STREAM: Schema = {"type": "string", "enum": ["stdout", "stderr"]}
STATE: Schema = {"type": "string", "enum": [state.value for state in JobState]}
WORD: Schema = {"type": "string", "enum": ["OK", "ERROR"]}
FILES = array(
    record("A file that a command has written", "name size url", name=STRING, size=COUNT, url=STRING)
)

BRIEF = {
    "id": STRING,
    "state": STATE,
    "kind": {"type": "string", "enum": ["command", "service"]},
    "url": {"type": "string", "description": "The path of the job"},
    "pid": {"type": "integer"},
}

SCHEMAS: dict[str, Schema] = {
    "Refusal": record(
        "The response to a failed token",
        "call_time output response_time status",
        call_time=HTTP_DATE,
        output=STRING,
        response_time=HTTP_DATE,
        status=WORD,
    ),
    "Envelope": record(
        "The response to a request that runs a command",
        "airflow_cmd arguments call_time output response_time status http_response_code",
        airflow_cmd={"type": "string", "description": "The command line, secrets masked"},
        arguments={"type": "object", "description": "The arguments, secrets masked"},
        call_time=HTTP_DATE,
        response_time=HTTP_DATE,
        output={
            "type": ["string", "object"],
            "description": "The command's output, or the error message; an object at `/api?api=`",
        },
        status=WORD,
        http_response_code={"type": "integer"},
        exit_code=CODE,
        stdout=STRING,
        stderr=STRING,
        result={"anyOf": ANYTHING, "description": "The JSON that the command printed"},
        dag_run_id={"type": "string", "description": "The DAG run that the command created"},
        warning={"type": "string", "description": "A problem despite exit code 0"},
        error=ERROR,
        job=ref("JobInBrief"),
        files=FILES,
    ),
    "JobInBrief": record("A running or ended command", "id state kind url", **BRIEF),
    "Job": record(
        "A running or ended command in full",
        "id state kind url name airflow_cmd arguments principal created output_url",
        **BRIEF,
        name={"type": "string", "description": "The endpoint"},
        airflow_cmd={"type": "string", "description": "The command line, secrets masked"},
        arguments={"type": "object"},
        principal={"type": "string", "description": "The client that requested it"},
        peer={"type": "string", "description": "The client's address"},
        node={"type": "string", "description": "The machine that stores its output"},
        created=MOMENT,
        started=MOMENT,
        ended=MOMENT,
        exit_code=CODE,
        message={"type": "string", "description": "The error message"},
        stopping={"anyOf": [ref("Stopping"), {"type": "null"}], "description": "While it is being stopped"},
        restarts={
            "anyOf": [ref("Restarts"), {"type": "null"}],
            "description": "Of a service that is started again when it fails",
        },
        stdout_bytes=COUNT,
        stderr_bytes=COUNT,
        output_url=STRING,
        http_response_code={"type": "integer"},
        error={"anyOf": [ERROR, {"type": "null"}]},
        warning={"type": ["string", "null"]},
        files=FILES,
        result={"type": ["object", "array", "null"], "description": "For a batch, a `BatchResult`"},
    ),
    "Stopping": record(
        "How long a job that is being stopped may take",
        "until seconds message",
        until=MOMENT,
        seconds=COUNT,
        message=STRING,
    ),
    "Restarts": record(
        "How often a service was started again, and when that happens next",
        "count limit next seconds message",
        count=COUNT,
        limit={"type": "integer", "description": "How many restarts are allowed within ten minutes"},
        next=MOMENT,
        seconds={"type": ["integer", "null"], "description": "Until it is started again, if it waits"},
        message=STRING,
    ),
    "Jobs": record(
        "A page of the list of jobs",
        "jobs next",
        jobs=array(ref("Job")),
        next={"type": ["string", "null"], "description": "`before` of the next page"},
    ),
    "Output": record(
        "A part of a job's output",
        "stream offset next_offset data complete state",
        stream=STREAM,
        offset={**COUNT, "description": "In bytes"},
        next_offset=COUNT,
        data=STRING,
        complete={"type": "boolean", "description": "No output will follow"},
        state=STATE,
    ),
    "Event": record(
        "A line of an event stream: `started` with the job, `output` with stream and data, `alive` while "
        "nothing is printed, and last `finished` with the envelope or `unfinished` with the job",
        "event",
        event={"type": "string", "enum": ["started", "output", "alive", "finished", "unfinished"]},
        job=ref("Job"),
        stream=STREAM,
        data=STRING,
        envelope=ref("Envelope"),
    ),
}

HEADERS: dict[str, Schema] = {
    "Location": {"description": "The path of the job", "schema": STRING},
    "ETag": {"description": "The version of the document", "schema": STRING},
    "RetryAfter": {"description": "Seconds until a retry makes sense", "schema": {"type": "integer"}},
    "AcceptEncoding": {"description": "The content codings that are supported", "schema": STRING},
    "PreferenceApplied": {"description": "The preference that was applied (RFC 7240)", "schema": STRING},
    "NextOffset": {"description": "The offset of the output that follows", "schema": {"type": "string"}},
    "JobState": {"description": "The state of the job", "schema": STATE},
    "OutputSizes": {"description": "Bytes of both streams, as `stdout=3, stderr=0`", "schema": STRING},
}

PARAMETERS: dict[str, Schema] = {
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=SECONDS` waits for the command to end, `respond-async` does not (RFC 7240)",
        "schema": {"type": "string", "examples": ["wait=10", "respond-async"]},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A repeated request with the same key and arguments gets the first job",
        "schema": {"type": "string", "pattern": "^[!#-~]([ -~]{0,253}[!-~])?$"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of a cached document",
        "schema": STRING,
    },
}


def response(description: str, schema: Schema, **headers: str) -> Schema:
    """Return a JSON response.

    :param description: one line
    :param schema: the schema of the body
    :param headers: header names (with ``_`` for ``-``) and their components
    """
    content = {JSON: {"schema": schema}}
    refs = {name.replace("_", "-"): ref(component, "headers") for name, component in headers.items()}
    described: Schema = {"description": description, "content": content}
    return {**described, "headers": refs} if refs else described


STREAMS = {
    TEXT: {"schema": {"type": "string", "description": "stdout while the command runs"}},
    EVENTS: {"schema": {"type": "string", "description": "An `Event` as JSON on each line"}},
}

_ran = response(
    "The command has ended with exit code 0",
    ref("Envelope"),
    Location="Location",
    Preference_Applied="PreferenceApplied",
)
RESPONSES: dict[str, Schema] = {
    "Ran": {**_ran, "content": {**_ran["content"], **STREAMS}},
    "Runs": response("The command is still running", ref("Envelope"), Location="Location"),
    "Bad": response("Invalid arguments; nothing was run", ref("Envelope")),
    "Refused": response("The token failed, or a rule forbids the request", ref("Refusal")),
    "Missing": response("There is no such endpoint, DAG, task, run or job", ref("Envelope")),
    "Conflict": response("The object exists already, or is on another machine", ref("Envelope")),
    "Slow": response("The body did not arrive in time", ref("Envelope")),
    "Large": response("The body is too large", ref("Envelope")),
    "Compressed": response("The body is compressed", ref("Envelope"), Accept_Encoding="AcceptEncoding"),
    "Failed": response("The command failed, was stopped, or exceeded a limit", ref("Envelope")),
    "LargeHeaders": response("The headers are too large", ref("Envelope")),
    "Busy": response(
        "Too many requests, or too many running and queued commands",
        ref("Envelope"),
        Retry_After="RetryAfter",
    ),
    "Defect": response("Internal error; the webserver's log has the details", ref("Envelope")),
    "Elsewhere": response("The installed Airflow does not have this command", ref("Envelope")),
    "Full": response("The disk of the state directory is too full for new commands", ref("Envelope")),
    "Unavailable": response("The API cannot run commands now", ref("Envelope")),
}

COMMON = {
    "400": "Bad",
    "403": "Refused",
    "429": "Busy",
    "431": "LargeHeaders",
    "500": "Defect",
    "503": "Unavailable",
}
"""Responses of every route that needs a token."""


def responses(**by_status: Schema | str) -> Schema:
    """Return the responses of an operation, including the common ones.

    :param by_status: a response, or the name of a component, by ``_`` and the status
    """
    named = {**{f"_{status}": name for status, name in COMMON.items()}, **by_status}
    return {
        status[1:]: ref(entry, "responses") if isinstance(entry, str) else entry
        for status, entry in sorted(named.items())
    }


COMPONENTS: dict[str, Any] = {
    "schemas": SCHEMAS,
    "responses": RESPONSES,
    "parameters": PARAMETERS,
    "headers": HEADERS,
    "securitySchemes": {
        "token": {"type": "apiKey", "in": "header", "name": "rest-api-plugin-http-token"},
        "token_with_underscores": {"type": "apiKey", "in": "header", "name": "rest_api_plugin_http_token"},
        "bearer": {"type": "http", "scheme": "bearer"},
    },
}
