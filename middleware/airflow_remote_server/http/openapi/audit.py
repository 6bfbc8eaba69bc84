"""Describe the route of the audit log."""

from __future__ import annotations

from airflow_remote_server.http.openapi.jobs import BEFORE, COMMAND, LIMIT, TEXT_PARAMETER, parameter
from airflow_remote_server.http.openapi.schemas import (
    CODE,
    COUNT,
    MOMENT,
    Schema,
    array,
    dataclass_properties,
    record,
    response,
    responses,
)
from airflow_remote_server.jobs.audit.entry import AuditEntry
from airflow_remote_server.jobs.audit.table import EXACT

RESULTS = ("done", "running", "failed", "refused", "invalid", "error")

_PROPERTIES: dict[str, Schema] = {
    **dataclass_properties(AuditEntry),
    "time": MOMENT,
    "status": COUNT,
    "result": {"type": "string", "enum": list(RESULTS)},
    "exit_code": CODE,
    "state": {"type": ["string", "null"], "description": "The state of its job; null if it has none"},
}
_ENTRY = record("A request that ran something or was refused", " ".join(_PROPERTIES), **_PROPERTIES)
_PAGE = record("A page of entries", "audit next", audit=array(_ENTRY), next={"type": ["string", "null"]})

PATHS: dict[str, Schema] = {
    "/audit": {
        "get": {
            "operationId": "audit",
            "tags": ["server"],
            "summary": "List the audited requests, newest first; only for an admin without restrictions",
            "x-read-only": True,
            "parameters": [
                *(parameter(name, f"Only entries with this {name}", TEXT_PARAMETER) for name in EXACT),
                COMMAND,
                LIMIT,
                BEFORE,
            ],
            "responses": responses(_200=response("A page of entries", _PAGE)),
        }
    }
}
