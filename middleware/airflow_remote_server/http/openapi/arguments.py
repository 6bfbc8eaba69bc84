"""Describe arguments as JSON Schema, as far as a schema can express what ``catalog.validation`` accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.spec import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.catalog.spec import Argument, Variant
    from airflow_remote_server.http.openapi.schemas import Schema

LARGEST = 10**18 - 1
"""Whole numbers have at most 18 digits."""

LONE_DASHES = {"const": "--"}
"""argparse would drop this value, so it is rejected."""

NO_NUL = "^[^\\u0000]*$"
NO_OPTION = "^([^\\u0000-][^\\u0000]*)?$"
INSIDE = r"^(\./?)?([^\u0000./][^\u0000.]*(\.[^\u0000.]+)*\.?)?$"
"""A path that stays inside its directory: it has no leading slash and no two dots in a row."""

JSON_KINDS = (Kind.JSON, Kind.JSON_OBJECT)
PATH_KINDS = (Kind.DAGS_PATH, Kind.LOG_PATH)

SIMPLE_KINDS: dict[Kind, Schema] = {
    Kind.FLAG: {"type": "boolean"},
    Kind.INTEGER: {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST},
    Kind.NUMBER: {"type": "number"},
    Kind.STDOUT: {"type": "string", "const": "-"},
    Kind.UPLOAD: {"type": "string", "contentMediaType": "application/octet-stream"},
    Kind.DATE: {"type": "string", "format": "date-time"},
}


def query_arguments(variant: Variant) -> list[Argument]:
    """Return the arguments of a variant that a query can hold.

    :param variant: the variant
    """
    return [argument for argument in _usable(variant) if argument.kind is not Kind.UPLOAD]


def object_schema(variant: Variant, in_query: bool = False) -> Schema:
    """Return the schema of all arguments of a variant as one object.

    :param variant: the variant
    :param in_query: whether the values are query parameters, and so always text
    """
    usable = _usable(variant)
    confirm = variant.confirm
    required = [argument.name for argument in usable if argument.required]
    if confirm and not confirm.when and not confirm.unless:
        required.append(confirm.argument)
    schema: dict[str, Any] = {
        "type": "object",
        "required": required,
        "properties": {argument.name: argument_schema(argument, in_query) for argument in usable},
        "additionalProperties": False,
    }
    if variant.one_of:
        schema["anyOf"] = [{"required": [name]} for name in variant.one_of]
    conflicts = [{"required": [a, b]} for group in variant.exclusive for a, b in _pairs(group)]
    if conflicts:
        schema["not"] = {"anyOf": conflicts}
    return schema


def argument_schema(argument: Argument, in_query: bool = False) -> Schema:
    """Return the schema of one argument.

    :param argument: the argument
    :param in_query: whether the value is a query parameter, and so always text
    """
    schema = _value_schema(argument, in_query)
    words = _query_words(argument) if in_query else ()
    if words:
        schema = {"anyOf": [schema, {"type": "string", "enum": list(words)}]}
    if argument.takes_list:
        schema = {"type": "array", "items": schema}
        if argument.required:
            schema["minItems"] = 1
    else:
        schema = dict(schema)
    if argument.help:
        schema["description"] = argument.help
    if argument.secret:
        schema["writeOnly"] = True
    if argument.kind is Kind.FLAG and argument.required:
        schema["const"] = True
    return schema


def _query_words(argument: Argument) -> tuple[str, ...]:
    """Return further texts that a query may hold for an argument."""
    if argument.kind is Kind.FLAG:
        return ("", "1", "yes", "on", "0", "no", "off")
    # An empty value counts as absent.
    typed = argument.choices or argument.kind in (Kind.INTEGER, Kind.NUMBER, Kind.DATE)
    return ("",) if typed and not argument.allow_empty and not argument.required else ()


def _value_schema(argument: Argument, in_query: bool) -> Schema:
    """Return the schema of a single value."""
    kind = argument.kind
    if argument.choices:
        return {"type": "string", "enum": list(argument.choices)}
    if argument.bounds is not None:
        return {"type": "integer", "minimum": argument.bounds[0], "maximum": argument.bounds[1]}
    if kind in SIMPLE_KINDS:
        return SIMPLE_KINDS[kind]
    if kind in PATH_KINDS:
        return {"type": "string", "pattern": INSIDE, "not": LONE_DASHES}
    if kind in JSON_KINDS:
        text = {"type": "string", "contentMediaType": "application/json"}
        return text if in_query or kind is Kind.JSON else {"anyOf": [{"type": "object"}, text]}
    separate = argument.flag and argument.takes_separate_words
    schema: Schema = {"type": "string", "pattern": NO_OPTION if separate else NO_NUL}
    if argument.required and not argument.allow_empty:
        schema["minLength"] = 1
    return schema if separate else {**schema, "not": LONE_DASHES}


def _usable(variant: Variant) -> list[Argument]:
    return [argument for argument in variant.arguments if not argument.unusable and not argument.ignored]


def _pairs(names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    return ((a, b) for at, a in enumerate(names) for b in names[at + 1 :])
