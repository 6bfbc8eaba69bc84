"""The routes about the API itself."""

from __future__ import annotations

from airflow_remote_server.openapi.schemas import (
    FLAG,
    JSON,
    MOMENT,
    STRING,
    Schema,
    answer,
    listed,
    record,
    ref,
    responses,
)

_ANY: Schema = {"type": "object"}
_CAN: Schema = {
    "name": "can",
    "in": "query",
    "description": "A command, perhaps with a DAG, as `dags trigger my_dag`: whether it may be run",
    "schema": {"type": "string", "maxLength": 1000, "pattern": "^[^\\u0000]*$"},
}
_WHO = record(
    "Who a token is, and what it may do",
    "name peer role unrestricted dags expires commands endpoints",
    name=STRING,
    peer=STRING,
    role=STRING,
    unrestricted=FLAG,
    dags={"type": ["array", "null"], "items": STRING},
    expires=MOMENT,
    commands=listed(STRING),
    endpoints=listed(STRING),
    can=record(
        "Whether it would be", "command allowed layer reason", allowed=FLAG, layer=STRING, reason=STRING
    ),
)
_KEPT: Schema = {"description": "It has not changed"}


def _kept(name: str, summary: str) -> Schema:
    """A document that has an ETag."""
    got = answer(summary, _ANY, ETag="ETag")
    return {
        "get": {
            "operationId": name,
            "tags": ["server"],
            "summary": summary,
            "x-read-only": True,
            "parameters": [ref("IfNoneMatch", "parameters")],
            "responses": responses(_200=got, _304=_KEPT),
        }
    }


PATHS: dict[str, Schema] = {
    "/health": {
        "get": {
            "operationId": "health",
            "tags": ["server"],
            "summary": "Whether the API is there; needs no token",
            "x-read-only": True,
            "security": [],
            "responses": {
                "200": {
                    "description": "It is",
                    "content": {JSON: {"schema": record("Its health", "status", status=STRING)}},
                },
                "503": ref("Unavailable", "responses"),
            },
        }
    },
    "/whoami": {
        "get": {
            "operationId": "whoami",
            "tags": ["server"],
            "summary": "Who a token is, and what it may do",
            "x-read-only": True,
            "parameters": [_CAN],
            "responses": responses(_200=answer("Who it is", _WHO), _404="Missing", _501="Elsewhere"),
        }
    },
    "/commands": _kept("commands", "Every command of the installed Airflow"),
    "/openapi.json": _kept("openapi", "This document"),
}
