"""The arguments of a request: from the query, a form, a multipart form or a JSON object, to one mapping.

Names and values come out as they were sent: nothing here knows which arguments a command has. A body that
did not arrive whole, or cannot be understood to its end, is refused: half of it might be another command.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from airflow_remote_server import strictjson
from airflow_remote_server.errors import BadArguments, TooLarge, TooSlow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from werkzeug.wrappers import Request

Given = dict[str, list[str | bool | int | float | dict | list | FileStorage]]  # type: ignore[type-arg]
"""Argument name (with ``_``) to every value it was given."""

MAX_FIELDS = 1000
"""Most arguments of one request; the classic endpoints have at most 20."""

TOO_MANY = f"over {MAX_FIELDS} arguments"

BODY_SECONDS = 60.0
"""How long a body may take, unless the configuration says otherwise."""

LONGEST_BOUNDARY = 200
"""RFC 2046, 5.1.1, allows 70 characters; werkzeug's own client writes numbers into it, and may need more."""


def read(request: Request, limit: int, seconds: float = BODY_SECONDS) -> tuple[Given, Given]:
    """Read all arguments of a request.

    :param request: the request, whose body was not read yet
    :param limit: most bytes of its body
    :param seconds: in which the body has to come
    :returns: those of the query, and those of the body
    :raises BadArguments: when they are not whole, not valid UTF-8 or JSON, or of an unknown type
    :raises TooLarge: when the body is over the limit, or has too many arguments
    :raises TooSlow: when the body takes too long
    """
    return query(request), _arguments(request, body(request, limit, seconds))


def query(request: Request) -> Given:
    """The arguments of a request's query; its body is left alone.

    :raises BadArguments: when they are not valid UTF-8
    :raises TooLarge: when there are too many
    """
    return _urlencoded(request.query_string, "query")


def merge(*sources: Given) -> Given:
    """Join the arguments of a query and a body; each keeps all its values."""
    given: Given = {}
    for source in sources:
        for name, values in source.items():
            given.setdefault(name, []).extend(values)
    return given


def body(request: Request, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """Read the body of a request, whole.

    :param request: the request
    :param limit: most bytes
    :param seconds: in which it has to come
    :raises BadArguments: when the client sent less than it said, or broken chunks
    :raises TooLarge: when it is over the limit
    :raises TooSlow: when it does not come in time
    """
    length = request.content_length
    chunked = bool(request.environ.get("wsgi.input_terminated")) and length is None
    if length is None and not chunked:
        return b""
    too_large = TooLarge(f"the body is over {limit} bytes")
    if length is not None and length > limit:
        raise too_large
    stream, data = request.environ["wsgi.input"], bytearray()
    wanted = limit + 1 if length is None else length
    deadline = time.monotonic() + seconds
    too_slow = TooSlow(f"the body did not come within {seconds:g} s")
    try:
        with _cut_off(request, seconds):
            while len(data) < wanted and (piece := stream.read(min(wanted - len(data), 1 << 16))):
                data += piece
                if time.monotonic() > deadline:
                    raise too_slow
    except TooSlow:
        raise
    except Exception:  # each server has its own exceptions for chunks that are none
        if time.monotonic() > deadline:
            raise too_slow from None
        raise BadArguments("the body cannot be read: it broke off, or its chunks are not valid") from None
    if len(data) > limit:
        raise too_large
    if length is not None and len(data) < length:
        if time.monotonic() > deadline:
            raise too_slow
        raise BadArguments(f"the body broke off: {len(data)} of {length} bytes came")
    return bytes(data)


@contextmanager
def _cut_off(request: Request, seconds: float) -> Iterator[None]:
    """End the reading of a body that is too slow. gunicorn reads on while any byte comes now and then.

    The ASGI server's is ended by ``asgi``, which waits for it.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    timer = threading.Timer(seconds, _shut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(connection, socket.SHUT_RD)  # below TLS: the answer is still to be sent


def _arguments(request: Request, data: bytes) -> Given:
    kind = request.mimetype
    if not data:
        return {}
    if kind == "multipart/form-data":
        return _multipart(data, request.mimetype_params.get("boundary", ""))
    if kind in ("", "application/x-www-form-urlencoded"):
        return _urlencoded(data, "form")
    if kind == "application/json" or kind.endswith("+json"):
        return _json(data)
    raise BadArguments(
        f"a body of type {kind[:80]!r} is not understood; send a form, a multipart form or JSON"
    )


def _urlencoded(data: bytes, where: str) -> Given:
    try:
        # WHATWG URL, application/x-www-form-urlencoded: raw bytes stand for themselves, as UTF-8.
        text = data.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise BadArguments(f"the {where} is not valid UTF-8") from None
    except ValueError:
        raise TooLarge(f"the {where} has {TOO_MANY}") from None
    return _collect(pairs)


def _multipart(data: bytes, boundary: str) -> Given:
    if not boundary or not boundary.isascii() or len(boundary) > LONGEST_BOUNDARY:
        raise BadArguments(
            f"the multipart form has no boundary of at most {LONGEST_BOUNDARY} ASCII characters"
        )
    decoder = MultipartDecoder(boundary.encode(), max_parts=MAX_FIELDS)
    decoder.receive_data(data)
    decoder.receive_data(None)
    pairs: list[tuple[str, str | FileStorage]] = []
    try:
        event = decoder.next_event()
        while not isinstance(event, (Epilogue, NeedData)):
            if isinstance(event, (Field, File)):
                pairs.append(_part(decoder, event))
            event = decoder.next_event()
    except UnicodeDecodeError:
        raise BadArguments("the multipart form is not valid UTF-8") from None
    except RequestEntityTooLarge:
        raise TooLarge(f"the multipart form has {TOO_MANY}") from None
    except ValueError:
        raise BadArguments("the multipart form is not valid, or broke off") from None
    return _collect(pairs)


def _part(decoder: MultipartDecoder, part: Field | File) -> tuple[str, str | FileStorage]:
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


def _json(data: bytes) -> Given:
    try:
        document = strictjson.loads(data)
    except ValueError as error:
        raise BadArguments(f"the body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadArguments("the JSON body must be an object of arguments")
    if len(document) > MAX_FIELDS:
        raise TooLarge(f"the JSON body has {TOO_MANY}")
    return _collect((name, value) for name, value in document.items() if value is not None)


def _collect(pairs: Iterable[tuple[str, Any]]) -> Given:
    given: Given = {}
    for name, value in pairs:
        given.setdefault(name.replace("-", "_"), []).append(value)
    return given
