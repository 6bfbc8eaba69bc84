"""Collect the arguments of a request from its query, form, multipart form or JSON object.

Names and values are passed on as sent: this module does not know which arguments a command takes. A body that
cannot be parsed to its end is rejected, because part of it might be another command.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from airflow_remote_server.catalog.spec import RequestArguments
from airflow_remote_server.errors import BadArguments, TooLarge
from airflow_remote_server.http.body import DEFAULT_TIMEOUT, read_body
from airflow_remote_server.util import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.wrappers import Request


MAX_FIELDS = 1000
"""The maximum number of arguments of one request; the classic endpoints have at most 20."""

TOO_MANY = f"over {MAX_FIELDS} arguments"

JSON_HEADER = "Content-Type: application/json"

MAX_BOUNDARY_LENGTH = 200
"""RFC 2046, 5.1.1, allows 70 characters; werkzeug's own client may generate longer ones."""


def read(
    request: Request, limit: int, timeout: float = DEFAULT_TIMEOUT
) -> tuple[RequestArguments, RequestArguments]:
    """Read all arguments of a request.

    :param request: a request whose body was not read yet
    :param limit: the maximum size of its body, in bytes
    :param timeout: seconds in which the body must arrive
    :returns: the arguments of the query, and those of the body
    :raises BadArguments: if they are incomplete, of an unknown type, or not valid UTF-8 or JSON
    :raises TooLarge: if the body exceeds the limit or has too many arguments
    :raises TooSlow: if the body does not arrive in time
    """
    return read_query(request), _parse_body(request, read_body(request, limit, timeout))


def read_query(request: Request) -> RequestArguments:
    """Read the arguments of a request's query only.

    :raises BadArguments: if they are not valid UTF-8
    :raises TooLarge: if there are too many
    """
    return _parse_urlencoded(request.query_string, "query")


def merge(*sources: RequestArguments) -> RequestArguments:
    """Join the arguments of a query and a body; each argument keeps all its values."""
    merged: RequestArguments = {}
    for source in sources:
        for name, values in source.items():
            merged.setdefault(name, []).extend(values)
    return merged


def _parse_body(request: Request, data: bytes) -> RequestArguments:
    content_type = request.mimetype
    if not data:
        return {}
    if content_type == "multipart/form-data":
        return _parse_multipart(data, request.mimetype_params.get("boundary", ""))
    if content_type in ("", "application/x-www-form-urlencoded"):
        return _parse_urlencoded(data, "body")
    if content_type == "application/json" or content_type.endswith("+json"):
        return _parse_json(data)
    raise BadArguments(
        f"a body of type {content_type[:80]!r} is not supported; send a form, a multipart form, or JSON with "
        f"the header {JSON_HEADER!r}"
    )


def _parse_urlencoded(data: bytes, where: str) -> RequestArguments:
    try:
        # WHATWG URL, application/x-www-form-urlencoded: bytes that are not escaped are UTF-8.
        text = data.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise BadArguments(f"the {where} is not valid UTF-8") from None
    except ValueError:
        raise TooLarge(f"the {where} has {TOO_MANY}") from None
    if any(name.lstrip("\ufeff\t\r\n ").startswith(("{", "[")) for name, _ in pairs):
        # As a form, all of it would be the name of an argument. It is not repeated: it may hold secrets.
        raise BadArguments(
            f"the {where} looks like JSON, but is not declared as JSON: send it as the body with the header "
            f"{JSON_HEADER!r}"
        )
    return _collect(pairs)


def _parse_multipart(data: bytes, boundary: str) -> RequestArguments:
    if not boundary or not boundary.isascii() or len(boundary) > MAX_BOUNDARY_LENGTH:
        raise BadArguments(
            f"the multipart form needs a boundary of 1 to {MAX_BOUNDARY_LENGTH} ASCII characters"
        )
    decoder = MultipartDecoder(boundary.encode(), max_parts=MAX_FIELDS)
    decoder.receive_data(data)
    decoder.receive_data(None)
    pairs: list[tuple[str, str | FileStorage]] = []
    try:
        event = decoder.next_event()
        while not isinstance(event, (Epilogue, NeedData)):
            if isinstance(event, (Field, File)):
                pairs.append(_read_part(decoder, event))
            event = decoder.next_event()
    except UnicodeDecodeError:
        raise BadArguments("the multipart form is not valid UTF-8") from None
    except RequestEntityTooLarge:
        raise TooLarge(f"the multipart form has {TOO_MANY}") from None
    except ValueError:
        raise BadArguments("the multipart form is invalid or incomplete") from None
    return _collect(pairs)


def _read_part(decoder: MultipartDecoder, part: Field | File) -> tuple[str, str | FileStorage]:
    if not part.name:
        raise ValueError("a part without a name")
    content = b""
    more = True
    while more:
        event = decoder.next_event()
        if not isinstance(event, Data):
            raise ValueError("a part without an end")
        content += event.data
        more = event.more_data
    if "\ufffd" in part.name:
        raise BadArguments("the multipart form's names are not valid UTF-8")
    if isinstance(part, Field):
        return part.name, content.decode("utf-8")
    return part.name, FileStorage(io.BytesIO(content), part.filename, part.name)


def _parse_json(data: bytes) -> RequestArguments:
    try:
        document = strict_json.loads(data)
    except ValueError as error:
        raise BadArguments(f"the body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadArguments("the JSON body must be an object of arguments")
    return from_object(document, "the JSON body")


def from_object(document: dict[str, Any], where: str) -> RequestArguments:
    """Return the arguments in a JSON object.

    :param document: the object
    :param where: what it is, for messages
    :raises TooLarge: if there are too many
    """
    if len(document) > MAX_FIELDS:
        raise TooLarge(f"{where} has {TOO_MANY}")
    return _collect((name, value) for name, value in document.items() if value is not None)


def _collect(pairs: Iterable[tuple[str, Any]]) -> RequestArguments:
    arguments: RequestArguments = {}
    for name, value in pairs:
        arguments.setdefault(name.replace("-", "_"), []).append(value)
    return arguments
