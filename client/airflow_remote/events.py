"""The events of a running command, from the lines of JSON that the server streams (application/x-ndjson)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from airflow_remote import transport
from airflow_remote.errors import NotTheApiError
from airflow_remote.result import is_job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

STDOUT, STDERR = STREAMS = ("stdout", "stderr")


class Started(NamedTuple):
    """The first event.

    :param job: as the API shows it
    """

    job: Mapping[str, Any]


class Output(NamedTuple):
    """The command has printed something.

    :param stream: ``stdout`` or ``stderr``
    :param text: what
    """

    stream: str
    text: str


class Finished(NamedTuple):
    """The last event, when the command has ended.

    :param envelope: the answer that a request without a stream would have got
    """

    envelope: Any


class Unfinished(NamedTuple):
    """The last event, when the server stops streaming before the command ends.

    :param job: as the API shows it
    """

    job: Mapping[str, Any]


Event = Union[Started, Output, Finished, Unfinished]


def events(url: str, pieces: Iterable[bytes]) -> Iterator[Event]:
    """Read a stream of events. One that is not known, as a sign of life, is passed over.

    :param url: for the message
    :param pieces: the stream, cut anywhere; without its end when the connection broke off
    :raises NotTheApiError: when a line is no event
    """
    for line in lines(url, pieces):
        if line.strip():
            event = parse(url, line)
            if event is not None:
                yield event


def lines(url: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into its lines; what comes after the last line end is no line.

    :param url: for the message
    :param pieces: the stream
    :raises NotTheApiError: when a line is larger than any answer of the API
    """
    rest = bytearray()
    for piece in pieces:
        begun = len(rest)
        rest += piece
        if len(rest) > transport.MAX_ANSWER_BYTES:
            raise NotTheApiError(f"{url} answered with over {transport.MAX_ANSWER_BYTES} bytes in a line")
        if rest.find(b"\n", begun) >= 0:
            *whole, tail = bytes(rest).split(b"\n")
            yield from whole
            rest = bytearray(tail)


def parse(url: str, line: bytes) -> Event | None:
    """The event of one line; None when it is none that is known.

    :param url: for the message
    :param line: JSON
    :raises NotTheApiError: when it is no event
    """
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    kind = said.get("event") if isinstance(said, dict) else None
    if kind in ("started", "unfinished") and is_job(said.get("job")):
        return (Started if kind == "started" else Unfinished)(said["job"])
    if kind == "output" and said.get("stream") in STREAMS and isinstance(said.get("data"), str):
        return Output(said["stream"], said["data"])
    if kind == "finished" and "envelope" in said:
        return Finished(said["envelope"])
    if isinstance(kind, str) and kind not in ("started", "unfinished", "output", "finished"):
        return None
    shown = line[:60].decode("utf-8", "replace")
    raise NotTheApiError(f"{url} answered with events that cannot be understood: {shown!r}")
