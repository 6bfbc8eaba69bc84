"""What operations share: the envelope, the job, errors, events, headers, and the ways to show a token."""

from __future__ import annotations

from typing import Any

from airflow_remote_server.jobs import State

JSON, TEXT, EVENTS = "application/json", "text/plain", "application/x-ndjson"
Schema = dict[str, Any]


def ref(name: str, kind: str = "schemas") -> Schema:
    """A reference to a component.

    :param name: of the component
    :param kind: what it is
    """
    return {"$ref": f"#/components/{kind}/{name}"}


def record(about: str, needed: str, **properties: Schema) -> Schema:
    """An object.

    :param about: what it is
    :param needed: names of the properties that are always there, with spaces between
    :param properties: what is known of it; there may be more
    """
    return {
        "type": "object",
        "description": about,
        "required": needed.split(),
        "properties": properties,
    }


def listed(item: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": item, **more}


STRING: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
CODE: Schema = {"type": ["integer", "null"], "description": "Minus a signal's number when that ended it"}
ANYTHING: list[Schema] = [
    {"type": "array", "items": {"type": ["object", "string", "number", "boolean", "null"]}},
    {"type": ["object", "string", "number", "boolean", "null"]},
]
"""What a command prints as JSON. Generated clients do not all take a schema without a type for any JSON."""
HTTP_DATE: Schema = {"type": "string", "examples": ["Tue, 29 Nov 2016 14:22:26 GMT"]}
ERROR = record("What went wrong", "type message", type=STRING, message=STRING)
STATE: Schema = {"type": "string", "enum": [state.value for state in State]}
WORD: Schema = {"type": "string", "enum": ["OK", "ERROR"]}
FILES = listed(
    record("A file that a command has written", "name size url", name=STRING, size=COUNT, url=STRING)
)

BRIEF = {
    "id": STRING,
    "state": STATE,
    "kind": {"type": "string", "enum": ["command", "service"]},
    "url": {"type": "string", "description": "Where the job is"},
    "pid": {"type": "integer"},
}

SCHEMAS: dict[str, Schema] = {
    "Refusal": record(
        "The answer to a failed token",
        "call_time output response_time status",
        call_time=HTTP_DATE,
        output=STRING,
        response_time=HTTP_DATE,
        status=WORD,
    ),
    "Envelope": record(
        "The answer to a request for a command",
        "airflow_cmd arguments call_time output response_time status http_response_code",
        airflow_cmd={"type": "string", "description": "What was run, secrets masked"},
        arguments={"type": "object", "description": "What was given, secrets masked"},
        call_time=HTTP_DATE,
        response_time=HTTP_DATE,
        output={
            "type": ["string", "object"],
            "description": "What it printed, or what went wrong; of `/api?api=` an object",
        },
        status=WORD,
        http_response_code={"type": "integer"},
        exit_code=CODE,
        stdout=STRING,
        stderr=STRING,
        result={"anyOf": ANYTHING, "description": "The JSON that it printed"},
        dag_run_id={"type": "string", "description": "The run that it made"},
        warning={"type": "string", "description": "What an exit code hides"},
        error=ERROR,
        job=ref("JobInBrief"),
        files=FILES,
    ),
    "JobInBrief": record("A command that runs, or has run", "id state kind url", **BRIEF),
    "Job": record(
        "All that is known of a command that runs, or has run",
        "id state kind url name airflow_cmd arguments principal created output_url",
        **BRIEF,
        name={"type": "string", "description": "Of the endpoint"},
        airflow_cmd={"type": "string", "description": "What is run, secrets masked"},
        arguments={"type": "object"},
        principal={"type": "string", "description": "Who asked for it"},
        peer={"type": "string", "description": "The address that the request came from"},
        node={"type": "string", "description": "The machine that has its output"},
        created=MOMENT,
        started=MOMENT,
        ended=MOMENT,
        exit_code=CODE,
        message={"type": "string", "description": "What went wrong"},
        stdout_bytes=COUNT,
        stderr_bytes=COUNT,
        output_url=STRING,
        http_response_code={"type": "integer"},
        error={"anyOf": [ERROR, {"type": "null"}]},
        warning={"type": ["string", "null"]},
        files=FILES,
    ),
    "Jobs": record(
        "A page of the list of jobs",
        "jobs next",
        jobs=listed(ref("Job")),
        next={"type": ["string", "null"], "description": "`before` for the next page"},
    ),
    "Output": record(
        "Some of what a job has printed",
        "stream offset next_offset data complete state",
        stream={"type": "string", "enum": ["stdout", "stderr"]},
        offset={**COUNT, "description": "In bytes"},
        next_offset=COUNT,
        data=STRING,
        complete={"type": "boolean", "description": "Nothing will follow"},
        state=STATE,
    ),
    "Event": record(
        "A line of a stream of events: `started` with the job, `output` with stream and data, `alive` now "
        "and then, and `finished` with the envelope, or `unfinished` with the job",
        "event",
        event={"type": "string", "enum": ["started", "output", "alive", "finished", "unfinished"]},
        job=ref("Job"),
        stream={"type": "string", "enum": ["stdout", "stderr"]},
        data=STRING,
        envelope=ref("Envelope"),
    ),
}

HEADERS: dict[str, Schema] = {
    "Location": {"description": "Where the job is", "schema": STRING},
    "ETag": {"description": "Changes with what is described", "schema": STRING},
    "RetryAfter": {"description": "Seconds", "schema": {"type": "integer"}},
    "PreferenceApplied": {"description": "What `Prefer` has led to (RFC 7240)", "schema": STRING},
    "NextOffset": {"description": "The offset to go on at", "schema": {"type": "string"}},
}

PARAMETERS: dict[str, Schema] = {
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=SECONDS` to wait for the command's end, `respond-async` not to (RFC 7240)",
        "schema": {"type": "string", "examples": ["wait=10", "respond-async"]},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A request with the same key and arguments gets the first one's job, and runs nothing",
        "schema": {"type": "string", "pattern": "^[!#-~]([ -~]{0,253}[!-~])?$"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of what is there already",
        "schema": STRING,
    },
}


def answer(description: str, schema: Schema, **headers: str) -> Schema:
    """A response of JSON.

    :param description: when it comes
    :param schema: of its body
    :param headers: names to components
    """
    said: Schema = {"description": description, "content": {JSON: {"schema": schema}}}
    named = {name.replace("_", "-"): ref(component, "headers") for name, component in headers.items()}
    return {**said, "headers": named} if named else said


STREAMS = {
    TEXT: {"schema": {"type": "string", "description": "stdout, as it comes"}},
    EVENTS: {"schema": {"type": "string", "description": "An `Event` of JSON on each line"}},
}

_ran = answer(
    "It has ended, with exit code 0",
    ref("Envelope"),
    Location="Location",
    Preference_Applied="PreferenceApplied",
)
RESPONSES: dict[str, Schema] = {
    "Ran": {**_ran, "content": {**_ran["content"], **STREAMS}},
    "Runs": answer("It has not ended yet", ref("Envelope"), Location="Location"),
    "Bad": answer("Arguments that cannot be accepted; nothing was done", ref("Envelope")),
    "Refused": answer("The token failed, or a rule forbids it", ref("Refusal")),
    "Missing": answer("There is no such endpoint, DAG, task, run, job, ...", ref("Envelope")),
    "Conflict": answer("It is there already, or elsewhere", ref("Envelope")),
    "Slow": answer("The body did not come in time", ref("Envelope")),
    "Large": answer("The body is too large", ref("Envelope")),
    "Failed": answer("The command failed, was stopped, or ran over a limit", ref("Envelope")),
    "LargeHeaders": answer("The headers are too large", ref("Envelope")),
    "Busy": answer(
        "Too many requests, or too many commands that run and wait", ref("Envelope"), Retry_After="RetryAfter"
    ),
    "Defect": answer("A defect; the webserver's log has the details", ref("Envelope")),
    "Elsewhere": answer("The installed Airflow does not have it", ref("Envelope")),
    "Unavailable": answer("It cannot be done now", ref("Envelope")),
}

COMMON = {
    "400": "Bad",
    "403": "Refused",
    "429": "Busy",
    "431": "LargeHeaders",
    "500": "Defect",
    "503": "Unavailable",
}
"""What every route behind the token may answer."""


def responses(**by_status: Schema | str) -> Schema:
    """Responses by status, ``_200``, with those that every route has.

    :param by_status: a response, or the name of a component
    """
    named = {**{f"_{status}": name for status, name in COMMON.items()}, **by_status}
    return {
        status[1:]: ref(found, "responses") if isinstance(found, str) else found
        for status, found in sorted(named.items())
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
