"""Parse the stream of events of a running command (application/x-ndjson)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from airflow_remote.errors import NotTheApiError
from airflow_remote.http import connection
from airflow_remote.models import is_job_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

STDOUT, STDERR = STREAMS = ("stdout", "stderr")


class Started(NamedTuple):
    """The first event: the command has started.

    :param job: the job as the API shows it
    """

    job: Mapping[str, Any]


class Output(NamedTuple):
    """The command printed something.

    :param stream: ``stdout`` or ``stderr``
    :param text: what it printed
    """

    stream: str
    text: str


class Finished(NamedTuple):
    """The last event: the command has ended.

    :param envelope: the response that a request without a stream gets
    """

    envelope: Any


class Unfinished(NamedTuple):
    """The last event of a stream that the server ends before the command does.

    :param job: the job as the API shows it
    """

    job: Mapping[str, Any]


Event = Union[Started, Output, Finished, Unfinished]


def parse_events(url: str, chunks: Iterable[bytes]) -> Iterator[Event]:
    """Parse a stream of events; skip events of unknown types, such as heartbeats.

    :param url: the URL of the request, for the message
    :param chunks: the stream, split anywhere; incomplete if the connection broke
    :raises NotTheApiError: if a line is not an event
    """
    for line in split_lines(url, chunks):
        if line.strip():
            event = parse_event(url, line)
            if event is not None:
                yield event


def split_lines(url: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split a stream into lines; drop an incomplete last line.

    :param url: the URL of the request, for the message
    :param chunks: the stream
    :raises NotTheApiError: if a line is larger than any response of the API
    """
    rest = bytearray()
    for chunk in chunks:
        start = len(rest)
        rest += chunk
        if len(rest) > connection.MAX_RESPONSE_BYTES:
            raise NotTheApiError(f"{url} sent over {connection.MAX_RESPONSE_BYTES} bytes in a line")
        if rest.find(b"\n", start) >= 0:
            *complete, tail = bytes(rest).split(b"\n")
            yield from complete
            rest = bytearray(tail)


def parse_object(line: bytes) -> dict[str, Any]:
    """Parse one line into a JSON object; return an empty one if it is something else.

    :param line: the line
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def parse_event(url: str, line: bytes) -> Event | None:
    """Parse one line into an event; return None for an unknown type.

    :param url: the URL of the request, for the message
    :param line: a JSON object
    :raises NotTheApiError: if it is not an event
    """
    event = parse_object(line)
    kind = event.get("event")
    if kind in ("started", "unfinished") and is_job_document(event.get("job")):
        return (Started if kind == "started" else Unfinished)(event["job"])
    if kind == "output" and event.get("stream") in STREAMS and isinstance(event.get("data"), str):
        return Output(event["stream"], event["data"])
    if kind == "finished" and "envelope" in event:
        return Finished(event["envelope"])
    if isinstance(kind, str) and kind not in ("started", "unfinished", "output", "finished"):
        return None
    shown = line[:60].decode("utf-8", "replace")
    raise NotTheApiError(f"{url} sent an invalid event: {shown!r}")
