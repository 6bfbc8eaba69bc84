"""Describe endpoints as operations: POST with a body, and GET with a query where possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.spec import Kind
from airflow_remote_server.http.openapi.arguments import argument_schema, object_schema, query_arguments
from airflow_remote_server.http.openapi.schemas import STRING, Schema, ref, responses
from airflow_remote_server.http.preferences import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.catalog.spec import Endpoint, Variant

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
RESPONSES = responses(
    _200="Ran",
    _202="Runs",
    _404="Missing",
    _408="Slow",
    _409="Conflict",
    _413="Large",
    _415="Compressed",
    _422="Failed",
    _501="Elsewhere",
    _507="Full",
)


def classic_path(endpoint: Endpoint) -> Schema:
    """Return the path item of a classic endpoint, where GET may modify data as well.

    :param endpoint: the endpoint
    """
    common = {"tags": ["classic"], **_about(endpoint)}
    return {
        "get": {**common, "operationId": f"get_{endpoint.name}", "parameters": _query_parameters(endpoint)},
        "post": {**common, "operationId": endpoint.name, **_request_body(endpoint)},
    }


def command_path(endpoint: Endpoint) -> Schema:
    """Return the path item of a live command.

    :param endpoint: the command
    """
    name = endpoint.name.replace(" ", "_").replace("-", "_")
    group = endpoint.name.rpartition(" ")[0]
    common = {"tags": [f"airflow {group}".strip()], **_about(endpoint)}
    item = {"post": {**common, "operationId": f"airflow_{name}", **_request_body(endpoint)}}
    if endpoint.read_only:
        item["get"] = {
            **common,
            "operationId": f"get_airflow_{name}",
            "parameters": _query_parameters(endpoint),
        }
    return item


def legacy_path(endpoints: Iterable[Endpoint]) -> Schema:
    """Return the path item of the 1.0.x plugin, whose argument ``api`` names a classic endpoint.

    :param endpoints: the classic endpoints
    """
    api = {"type": "string", "enum": [endpoint.name for endpoint in endpoints]}
    common = {
        "tags": ["classic"],
        "summary": "Run a classic endpoint in the shape of the 1.0.x plugin",
        "description": "Further arguments belong to the endpoint; unknown ones are ignored.",
        "x-read-only": False,
        "responses": RESPONSES,
    }
    body = {
        "type": "object",
        "required": ["api"],
        "properties": {"api": api},
        "additionalProperties": STRING,
    }
    parameter = {"name": "api", "in": "query", "required": True, "schema": api}
    return {
        "get": {**common, "operationId": "get_legacy", "parameters": [parameter]},
        "post": {
            **common,
            "operationId": "legacy",
            "requestBody": {"required": True, "content": {FORM: {"schema": body}, JSON: {"schema": body}}},
        },
    }


def _about(endpoint: Endpoint) -> Schema:
    commands = dict.fromkeys(
        " ".join((variant.program, *variant.command)) for variant in endpoint.variants if variant.command
    )
    about = [endpoint.description, *(f"Runs `{command}`." for command in commands)]
    if any(variant.service for variant in endpoint.variants):
        about.append("A service: the response returns its job at once, and it runs until it is stopped.")
    return {
        "summary": endpoint.summary,
        "description": "\n\n".join(filter(None, about)),
        "x-read-only": endpoint.read_only,
        "responses": RESPONSES,
    }


def _query_parameters(endpoint: Endpoint) -> list[Schema]:
    if any(variant.name for variant in endpoint.variants):
        # The variant determines which arguments belong together, so they are one object, and each of its
        # properties is a parameter.
        return [
            {
                "name": "arguments",
                "in": "query",
                "style": "form",
                "explode": True,
                "schema": _one_of(
                    [_variant_schema(variant, in_query=True) for variant in _distinct(endpoint)]
                ),
            }
        ]
    return [
        {
            "name": argument.name,
            "in": "query",
            "required": argument.required,
            "description": argument.help,
            "schema": argument_schema(argument, in_query=True),
        }
        for argument in query_arguments(endpoint.variants[0])
    ]


def _request_body(endpoint: Endpoint) -> Schema:
    """Return the body of an operation, and the headers that control the response."""
    variants = _distinct(endpoint)
    without_files = [variant for variant in variants if not _takes_files(variant)]
    content: dict[str, Schema] = {}
    if without_files:
        schema = _one_of([_variant_schema(variant) for variant in without_files])
        content |= {JSON: {"schema": schema}, FORM: {"schema": schema}}
    content[MULTIPART] = {"schema": _one_of([_variant_schema(variant) for variant in variants])}
    required = all(_variant_schema(variant)["required"] for variant in variants)
    return {
        "parameters": [ref("Prefer", "parameters"), ref("IdempotencyKey", "parameters")],
        "requestBody": {"required": required, "content": content},
    }


def _distinct(endpoint: Endpoint) -> list[Variant]:
    """Return the variants of an endpoint, leaving out a default variant that has a name as well."""
    named = {variant.command for variant in endpoint.variants if variant.name}
    return [
        variant
        for variant in endpoint.variants
        if variant.name or variant.command not in named or not variant.command
    ]


def _takes_files(variant: Variant) -> bool:
    return any(argument.kind is Kind.UPLOAD and not argument.unusable for argument in variant.arguments)


def _variant_schema(variant: Variant, in_query: bool = False) -> Schema:
    """Return the schema of a variant's arguments, with ``cmd`` if the variant has a name."""
    schema: dict[str, Any] = object_schema(variant, in_query)
    if variant.name:
        schema["properties"] = {"cmd": {"const": variant.name}, **schema["properties"]}
        schema["required"] = ["cmd", *schema["required"]]
    return schema


def _one_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
