"""The arguments of a request: from the query, a form, a multipart form or a JSON object, to one mapping.

Names and values come out as they were sent: nothing here knows which arguments a command has.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from werkzeug.datastructures import FileStorage

from airflow_remote_server.errors import BadArguments, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.wrappers import Request

Given = dict[str, list[str | bool | int | float | dict | list | FileStorage]]  # type: ignore[type-arg]
"""Argument name (with ``_``) to every value it was given."""

MAX_FIELDS = 1000
"""Most arguments of one request; the classic endpoints have at most 20."""


def read(request: Request) -> tuple[Given, Given]:
    """Read all arguments of a request.

    :param request: its ``max_content_length`` bounds the body
    :returns: those of the query, and those of the body
    :raises BadArguments: when they are not valid UTF-8, not valid JSON, or of an unknown type
    :raises TooLarge: when the body is over the limit
    """
    query = _urlencoded(request.query_string, "query")
    body = _body(request)
    return query, body


def merge(*sources: Given) -> Given:
    """Join the arguments of a query and a body; each keeps all its values."""
    given: Given = {}
    for source in sources:
        for name, values in source.items():
            given.setdefault(name, []).extend(values)
    return given


def _body(request: Request) -> Given:
    if request.content_length is None and "wsgi.input_terminated" not in request.environ:
        return {}
    if request.mimetype == "multipart/form-data":
        return _multipart(request)
    data = request.get_data()
    if not data:
        return {}
    if request.mimetype in ("", "application/x-www-form-urlencoded"):
        return _urlencoded(data, "form")
    if request.mimetype == "application/json" or request.mimetype.endswith("+json"):
        return _json(data)
    raise BadArguments(
        f"a body of type {request.mimetype!r} is not understood; send a form, a multipart form or JSON"
    )


def _urlencoded(data: bytes, where: str) -> Given:
    try:
        # WHATWG URL, application/x-www-form-urlencoded: raw bytes stand for themselves, as UTF-8.
        text = data.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise BadArguments(f"the {where} is not valid UTF-8") from None
    except ValueError:
        raise TooLarge(f"the {where} has over {MAX_FIELDS} arguments") from None
    return _collect(pairs)


def _multipart(request: Request) -> Given:
    pairs: list[tuple[str, Any]] = [*request.form.items(multi=True), *request.files.items(multi=True)]
    if any("\ufffd" in name or (isinstance(value, str) and "\ufffd" in value) for name, value in pairs):
        # werkzeug decodes with "replace"; a value must arrive as it was sent or not at all.
        raise BadArguments("the multipart form is not valid UTF-8")
    return _collect(pairs)


def _json(data: bytes) -> Given:
    try:
        document = json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadArguments(f"the body is not valid JSON: {reason}") from None
    if not isinstance(document, dict):
        raise BadArguments("the JSON body must be an object of arguments")
    return _collect((name, value) for name, value in document.items() if value is not None)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _collect(pairs: Iterable[tuple[str, Any]]) -> Given:
    given: Given = {}
    for name, value in pairs:
        given.setdefault(name.replace("-", "_"), []).append(value)
    return given
