"""Arguments as JSON Schema: what ``catalogue.validation`` accepts, as far as a schema can say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalogue.spec import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.catalogue.spec import Argument, Form
    from airflow_remote_server.openapi.schemas import Schema

LARGEST = 10**18 - 1
"""Whole numbers have at most 18 digits."""

LONE = {"const": "--"}
"""argparse drops it, so it is refused."""

NO_NUL = "^[^\\u0000]*$"
NO_OPTION = "^([^\\u0000-][^\\u0000]*)?$"
INSIDE = r"^(\./?)?([^\u0000./][^\u0000.]*(\.[^\u0000.]+)*\.?)?$"
"""A path that leads nowhere else: it does not begin with a slash, and has no two dots in a row."""


def query_names(form: Form) -> list[Argument]:
    """The arguments of a form that a query can hold."""
    return [argument for argument in _usable(form) if argument.kind is not Kind.UPLOAD]


def body(form: Form, in_query: bool = False) -> Schema:
    """All arguments of a form as an object.

    :param form: it
    :param in_query: whether they are texts
    """
    usable = _usable(form)
    confirm = form.confirm
    needed = [argument.name for argument in usable if argument.required]
    if confirm and not confirm.when and not confirm.unless:
        needed.append(confirm.argument)
    said: dict[str, Any] = {
        "type": "object",
        "required": needed,
        "properties": {argument.name: schema(argument, in_query) for argument in usable},
        "additionalProperties": False,
    }
    if form.one_of:
        said["anyOf"] = [{"required": [name]} for name in form.one_of]
    apart = [{"required": [a, b]} for group in form.exclusive for a, b in _pairs(group)]
    if apart:
        said["not"] = {"anyOf": apart}
    return said


def schema(argument: Argument, in_query: bool = False) -> Schema:
    """One argument.

    :param argument: it
    :param in_query: whether it is a text in any case
    """
    said = _value(argument, in_query)
    words = _words(argument) if in_query else ()
    if words:
        said = {"anyOf": [said, {"type": "string", "enum": list(words)}]}
    if argument.several:
        said = {"type": "array", "items": said}
        if argument.required:
            said["minItems"] = 1
    if argument.help:
        said["description"] = argument.help
    if argument.secret:
        said["writeOnly"] = True
    if argument.kind is Kind.FLAG and argument.required:
        said["const"] = True
    return said


def _words(argument: Argument) -> tuple[str, ...]:
    """Texts that a query may have for an argument as well."""
    if argument.kind is Kind.FLAG:
        return ("", "1", "yes", "on", "0", "no", "off")
    # An empty one is none.
    typed = argument.choices or argument.kind in (Kind.INTEGER, Kind.NUMBER, Kind.DATE)
    return ("",) if typed and not argument.allow_empty and not argument.required else ()


def _value(argument: Argument, in_query: bool) -> Schema:
    """A single value of an argument, by its kind."""
    kind = argument.kind
    if argument.choices:
        return {"type": "string", "enum": list(argument.choices)}
    if kind is Kind.FLAG:
        return {"type": "boolean"}
    if kind is Kind.INTEGER:
        return {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST}
    if kind is Kind.NUMBER:
        return {"type": "number"}
    if kind is Kind.STDOUT:
        return {"type": "string", "const": "-"}
    if kind is Kind.UPLOAD:
        return {"type": "string", "contentMediaType": "application/octet-stream"}
    if kind is Kind.DATE:
        return {"type": "string", "format": "date-time"}
    if kind in (Kind.DAGS_PATH, Kind.LOG_PATH):
        return {"type": "string", "pattern": INSIDE, "not": LONE}
    if kind in (Kind.JSON, Kind.JSON_OBJECT):
        text = {"type": "string", "contentMediaType": "application/json"}
        return text if in_query or kind is Kind.JSON else {"anyOf": [{"type": "object"}, text]}
    separate = argument.flag and argument.own_words
    said: Schema = {"type": "string", "pattern": NO_OPTION if separate else NO_NUL}
    if argument.required and not argument.allow_empty:
        said["minLength"] = 1
    return said if separate else {**said, "not": LONE}


def _usable(form: Form) -> list[Argument]:
    return [argument for argument in form.arguments if not argument.refused and not argument.ignored]


def _pairs(names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    return ((a, b) for at, a in enumerate(names) for b in names[at + 1 :])
