"""Endpoints as operations: GET with a query, where that is possible, and POST with a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalogue.spec import Kind
from airflow_remote_server.openapi.arguments import body, query_names, schema
from airflow_remote_server.openapi.schemas import JSON, STRING, Schema, ref, responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.catalogue.spec import Endpoint, Form

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
ANSWERS = responses(
    _200="Ran",
    _202="Runs",
    _404="Missing",
    _408="Slow",
    _409="Conflict",
    _413="Large",
    _422="Failed",
    _501="Elsewhere",
)


def classic(endpoint: Endpoint) -> Schema:
    """The path of a classic endpoint, which GET may change something on.

    :param endpoint: it
    """
    said = {"tags": ["classic"], **_about(endpoint)}
    return {
        "get": {**said, "operationId": f"get_{endpoint.name}", "parameters": _query(endpoint)},
        "post": {**said, "operationId": endpoint.name, **_sent(endpoint)},
    }


def live(endpoint: Endpoint) -> Schema:
    """The path of a command by its own name.

    :param endpoint: it
    """
    name = endpoint.name.replace(" ", "_").replace("-", "_")
    group = endpoint.name.rpartition(" ")[0]
    said = {"tags": [f"airflow {group}".strip()], **_about(endpoint)}
    item = {"post": {**said, "operationId": f"airflow_{name}", **_sent(endpoint)}}
    if endpoint.read_only:
        item["get"] = {**said, "operationId": f"get_airflow_{name}", "parameters": _query(endpoint)}
    return item


def ancestor(endpoints: Iterable[Endpoint]) -> Schema:
    """The path of the 1.0.x plugin: the classic endpoints, by the argument ``api``.

    :param endpoints: the classic ones
    """
    api = {"type": "string", "enum": [endpoint.name for endpoint in endpoints]}
    said = {
        "tags": ["classic"],
        "summary": "The classic endpoints, as the 1.0.x plugin has them",
        "description": "Further arguments are the endpoint's; what it does not know is ignored.",
        "x-read-only": False,
        "responses": ANSWERS,
    }
    given = {
        "type": "object",
        "required": ["api"],
        "properties": {"api": api},
        "additionalProperties": STRING,
    }
    parameter = {"name": "api", "in": "query", "required": True, "schema": api}
    return {
        "get": {**said, "operationId": "get_ancestor", "parameters": [parameter]},
        "post": {
            **said,
            "operationId": "ancestor",
            "requestBody": {"required": True, "content": {FORM: {"schema": given}, JSON: {"schema": given}}},
        },
    }


def _about(endpoint: Endpoint) -> Schema:
    """What an endpoint is."""
    commands = dict.fromkeys(
        " ".join((form.program, *form.command)) for form in endpoint.forms if form.command
    )
    said: dict[str, Any] = {"summary": endpoint.summary}
    about = [endpoint.description, *(f"Runs `{command}`." for command in commands)]
    if any(form.service for form in endpoint.forms):
        about.append("A service: answered at once with its job, which runs until it is stopped.")
    said["description"] = "\n\n".join(filter(None, about))
    return {**said, "x-read-only": endpoint.read_only, "responses": ANSWERS}


def _query(endpoint: Endpoint) -> list[Schema]:
    """The arguments of a query."""
    named = [form for form in endpoint.forms if form.name]
    if named:
        # Which arguments go together depends on the form: an object, each property a parameter of its own.
        return [
            {
                "name": "arguments",
                "in": "query",
                "style": "form",
                "explode": True,
                "schema": _one_of([_object(form, in_query=True) for form in _distinct(endpoint)]),
            }
        ]
    return [
        {
            "name": argument.name,
            "in": "query",
            "required": argument.required,
            "description": argument.help,
            "schema": schema(argument, in_query=True),
        }
        for argument in query_names(endpoint.forms[0])
    ]


def _sent(endpoint: Endpoint) -> Schema:
    """The arguments of a body, and how the answer is to be delivered."""
    forms = _distinct(endpoint)
    files = [form for form in forms if _takes_files(form)]
    others = [form for form in forms if form not in files]
    content: dict[str, Schema] = {}
    if others:
        given = _one_of([_object(form) for form in others])
        content |= {JSON: {"schema": given}, FORM: {"schema": given}}
    content[MULTIPART] = {"schema": _one_of([_object(form) for form in forms])}
    required = all(_object(form)["required"] for form in forms)
    return {
        "parameters": [ref("Prefer", "parameters"), ref("IdempotencyKey", "parameters")],
        "requestBody": {"required": required, "content": content},
    }


def _distinct(endpoint: Endpoint) -> list[Form]:
    """The forms of an endpoint, without a default one that has a name as well."""
    named = {form.command for form in endpoint.forms if form.name}
    return [form for form in endpoint.forms if form.name or form.command not in named or not form.command]


def _takes_files(form: Form) -> bool:
    return any(argument.kind is Kind.UPLOAD and not argument.refused for argument in form.arguments)


def _object(form: Form, in_query: bool = False) -> Schema:
    """All arguments of a form together."""
    given = body(form, in_query)
    if form.name:
        given["properties"] = {"cmd": {"const": form.name}, **given["properties"]}
        given["required"] = ["cmd", *given["required"]]
    return given


def _one_of(found: list[Schema]) -> Schema:
    return found[0] if len(found) == 1 else {"oneOf": found}
