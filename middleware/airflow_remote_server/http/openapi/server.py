"""Describe the routes about the API itself."""

from __future__ import annotations

from airflow_remote_server.http.openapi.schemas import (
    FLAG,
    MOMENT,
    STRING,
    Schema,
    array,
    record,
    ref,
    response,
    responses,
)
from airflow_remote_server.http.preferences import JSON

_CAN: Schema = {
    "name": "can",
    "in": "query",
    "description": "Check a command, optionally with a DAG id, such as `dags trigger my_dag`",
    "schema": {"type": "string", "maxLength": 1000, "pattern": "^[^\\u0000]*$"},
}
_WHOAMI = record(
    "A principal and its permissions",
    "name peer role unrestricted dags expires commands endpoints",
    name=STRING,
    peer=STRING,
    role=STRING,
    unrestricted=FLAG,
    dags={"type": ["array", "null"], "items": STRING},
    expires=MOMENT,
    commands=array(STRING),
    endpoints=array(STRING),
    can=record(
        "Whether the principal may run the command",
        "command allowed layer reason",
        allowed=FLAG,
        layer=STRING,
        reason=STRING,
    ),
)
_HEALTH = record("The API's health", "status ready", status=STRING, ready=FLAG, warning=STRING)
_NOT_MODIFIED: Schema = {"description": "The document has not changed"}


def _cached_document(name: str, summary: str, description: str) -> Schema:
    """Return the path item of a document with an ETag."""
    return {
        "get": {
            "operationId": name,
            "tags": ["server"],
            "summary": summary,
            "x-read-only": True,
            "parameters": [ref("IfNoneMatch", "parameters")],
            "responses": responses(
                _200=response(description, {"type": "object"}, ETag="ETag"), _304=_NOT_MODIFIED
            ),
        }
    }


_INDEX = record(
    "The API and the paths of its routes",
    "version airflow links docs",
    version=STRING,
    airflow=STRING,
    links={"type": "object", "additionalProperties": STRING},
    docs=STRING,
)
PATHS: dict[str, Schema] = {
    "": {
        "get": {
            "operationId": "index",
            "tags": ["server"],
            "summary": "List the paths of the API",
            "x-read-only": True,
            "responses": responses(_200=response("The index", _INDEX)),
        }
    },
    "/health": {
        "get": {
            "operationId": "health",
            "tags": ["server"],
            "summary": "Check whether the API works and takes commands; needs no token",
            "x-read-only": True,
            "security": [],
            "responses": {
                "200": {
                    "description": "The API works",
                    "content": {JSON: {"schema": _HEALTH}},
                },
                "503": ref("Unavailable", "responses"),
            },
        }
    },
    "/whoami": {
        "get": {
            "operationId": "whoami",
            "tags": ["server"],
            "summary": "Show the principal and its permissions",
            "x-read-only": True,
            "parameters": [_CAN],
            "responses": responses(_200=response("The principal", _WHOAMI), _404="Missing", _501="Elsewhere"),
        }
    },
    "/commands": _cached_document(
        "commands", "List the commands of the installed Airflow", "The catalog of commands"
    ),
    "/openapi.json": _cached_document("openapi", "Show this document", "This document"),
}
