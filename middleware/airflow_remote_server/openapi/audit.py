"""The route of the audit (``audit.routes``)."""

from __future__ import annotations

from airflow_remote_server.audit.rows import EXACT
from airflow_remote_server.openapi.jobs import BEFORE, COMMAND, LIMIT, WORDS, parameter
from airflow_remote_server.openapi.schemas import (
    COUNT,
    MOMENT,
    STRING,
    Schema,
    answer,
    listed,
    record,
    responses,
)

TEXTS = ("id", "principal", "role", "peer", "method", "path", "name", "command", "layer", "message", "job")

_ENTRY = record(
    "A request that ran something or was refused",
    f"{' '.join(TEXTS)} time status result seconds state",
    **dict.fromkeys(TEXTS, STRING),
    time=MOMENT,
    status=COUNT,
    result={"type": "string", "enum": ["done", "running", "failed", "refused", "invalid", "error"]},
    seconds={"type": "number"},
    state={"type": ["string", "null"], "description": "Of a job that went on: what has become of it"},
)
_PAGE = record("A page of entries", "audit next", audit=listed(_ENTRY), next={"type": ["string", "null"]})

PATHS: dict[str, Schema] = {
    "/audit": {
        "get": {
            "operationId": "audit",
            "tags": ["server"],
            "summary": "What was asked for, and by whom, newest first; for an admin without restrictions",
            "x-read-only": True,
            "parameters": [
                *(parameter(name, f"Only this {name}", WORDS) for name in EXACT),
                COMMAND,
                LIMIT,
                BEFORE,
            ],
            "responses": responses(_200=answer("A page of it", _PAGE)),
        }
    }
}
