"""Documents of the API, and responses that contain them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Response

JOB_ID = "0660e40a747b87628e537139a49c9fd0"
EVENTS_TYPE = "application/x-ndjson"

ENVELOPE_2016 = {
    "airflow_cmd": "airflow version",
    "arguments": {},
    "call_time": "Tue, 29 Nov 2016 14:22:26 GMT",
    "output": "1.7.0",
    "response_time": "Tue, 29 Nov 2016 14:22:29 GMT",
    "status": "OK",
}
"""A response with the keys of the 2016 plugin."""
NOT_RUN = {"stdout": None, "stderr": None, "exit_code": None}
"""Changes to an envelope that reports no command's output."""


def envelope(**fields: Any) -> dict[str, Any]:
    """Return a successful response to a command, with changed fields; None removes a field."""
    command = {"http_response_code": 200, "stdout": "1.7.0\n", "stderr": "", "exit_code": 0}
    document = {**ENVELOPE_2016, **command, **fields}
    return {name: value for name, value in document.items() if value is not None}


def job(**fields: Any) -> dict[str, Any]:
    """Return a running job as the API shows it, with changed fields."""
    url = f"/admin/rest_api/api/v1.0/jobs/{JOB_ID}"
    return {"id": JOB_ID, "state": "running", "kind": "command", "url": url, **fields}


def file_entries(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Return the field ``files`` of an envelope or a job."""
    return [
        {"name": name, "size": len(data), "url": f"{job()['url']}/files/{name}"}
        for name, data in files.items()
    ]


def event(**fields: Any) -> bytes:
    """Return a line of a stream of events."""
    return json.dumps(fields).encode() + b"\n"


STARTED = event(event="started", job=job())
UNFINISHED = event(event="unfinished", job=job())


def output_event(text: str, stream: str = "stdout") -> bytes:
    """Return the event for output of a command."""
    return event(event="output", stream=stream, data=text)


def finished_event(**fields: Any) -> bytes:
    """Return the last event of a stream, with changed fields of the envelope."""
    return event(event="finished", envelope=envelope(**fields))


def json_response(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with a JSON document."""
    return Response(json.dumps(document), status, headers, content_type="application/json")


def event_response(lines: Iterable[bytes]) -> Response:
    """Return a response that streams lines; it is incomplete if they lack the last event."""
    return Response(iter(lines), 200, content_type=EVENTS_TYPE)


def not_found(message: str) -> Response:
    """Return a response with status 404."""
    return json_response(envelope(**NOT_RUN, status="ERROR", output=message), 404)
