"""Read the commands of a batch from the body of a request: a JSON object, or lines of JSON as they arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import ApiError, BadArguments, TooLarge
from airflow_remote_server.http import arguments
from airflow_remote_server.http.body import read_blocks
from airflow_remote_server.http.parameters import Parameters
from airflow_remote_server.http.preferences import EVENTS, JSON
from airflow_remote_server.util import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from werkzeug.wrappers import Request

    from airflow_remote_server.catalog.spec import RequestArguments
    from airflow_remote_server.config.settings import Settings

MAX_COMMANDS = 10_000
"""The maximum number of commands of a batch."""

TOO_MANY = f"a batch has at most {MAX_COMMANDS} commands: send several batches"

MAX_COMMAND_BYTES = 1 << 20
"""The maximum number of bytes of a line with a command."""

LINE_TYPES = frozenset({EVENTS, "application/ndjson", "application/jsonl"})
"""Content types of lines of JSON."""

MEMBERS = frozenset({"command", "arguments"})
OPTIONS = ("parallel", "stop_on_failure")


@dataclass(frozen=True)
class BatchItem:
    """A command as a request gives it.

    :param name: the name of the command
    :param arguments: its arguments
    :param error: why it is invalid; None if it is not
    """

    name: str = ""
    arguments: RequestArguments = field(default_factory=dict)
    error: ApiError | None = None


class BatchBody:
    """The body of a request for a batch. The options may come with it, so read the items first.

    :param request: a request whose body was not read yet
    :param settings: limits
    """

    def __init__(self, request: Request, settings: Settings) -> None:
        self._request = request
        self._settings = settings
        self._options = arguments.read_query(request)
        self._blocks = read_blocks(request, settings.max_body_bytes, settings.body_timeout)

    def items(self) -> Iterator[BatchItem]:
        """Yield the commands in order; an invalid one with its error.

        :raises BadArguments: if the body is of another type, invalid, incomplete, or without commands
        :raises TooLarge: if it exceeds a limit
        :raises TooSlow: if it does not arrive in time
        """
        media = self._request.mimetype
        if media in LINE_TYPES:
            items: Iterable[BatchItem] = map(parse_line, split_lines(self._blocks))
        elif media == JSON or media.endswith("+json"):
            items = map(parse_item, self._read_object())
        else:
            raise BadArguments(
                "send a batch as JSON with the header 'Content-Type: application/json', or as lines of JSON "
                f"with the header 'Content-Type: {EVENTS}', not as {media[:80]!r}"
            )
        count = 0
        for count, item in enumerate(items, 1):
            if count > MAX_COMMANDS:
                raise TooLarge(TOO_MANY)
            yield item
        if not count:
            raise BadArguments(
                'a batch needs at least one command: {"commands": [{"command": "dags pause", ...}]}'
            )

    def options(self) -> tuple[int, bool]:
        """Return how many commands may run at once, and whether a failure stops the batch.

        :raises BadArguments: if an option is invalid or unknown
        """
        parameters = Parameters(self._options)
        most = self._settings.max_running
        parallel = parameters.number("parallel", 1, float("inf"))
        stop_on_failure = parameters.flag("stop_on_failure")
        parameters.reject_unknown()
        if not 1 <= parallel <= most:
            raise BadArguments(f"'parallel' must be 1 to {most} ([rest_api_plugin] max_running)")
        return int(parallel), stop_on_failure

    def _read_object(self) -> list[Any]:
        """Return the list of commands in a JSON object, and note the options."""
        try:
            document = strict_json.loads(b"".join(self._blocks))
        except ValueError as error:
            raise BadArguments(f"the body is not valid JSON: {error}") from None
        commands = document.pop("commands", None) if isinstance(document, dict) else None
        if not isinstance(commands, list):
            raise BadArguments("the JSON body must be an object with the list 'commands'")
        if len(commands) > MAX_COMMANDS:
            raise TooLarge(TOO_MANY)
        self._options = arguments.merge(self._options, arguments.from_object(document, "the JSON body"))
        return commands


def split_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines in blocks of bytes that are not blank, without their ends.

    :param blocks: the parts of a body
    :raises TooLarge: if a line is too long
    """
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in (*lines, rest):
            if len(line) > MAX_COMMAND_BYTES:
                raise TooLarge(f"a command is over {MAX_COMMAND_BYTES} bytes")
        yield from filter(bytes.strip, lines)
    if rest.strip():
        yield rest


def parse_line(line: bytes) -> BatchItem:
    """Return the command in a line of JSON."""
    try:
        return parse_item(strict_json.loads(line))
    except ValueError as error:
        return BatchItem(error=BadArguments(f"not valid JSON: {error}"))


def parse_item(item: Any) -> BatchItem:
    """Return the command in a JSON document.

    :param item: the document
    """
    if not isinstance(item, dict) or not isinstance(item.get("command"), str):
        return BatchItem(
            error=BadArguments('must be an object such as {"command": "dags pause", "arguments": {}}')
        )
    name, given = item["command"], item.get("arguments")
    unknown = next((member for member in item if member not in MEMBERS), None)
    if unknown is not None:
        return BatchItem(
            name, error=BadArguments(f"unknown member {unknown[:40]!r}: use 'command' and 'arguments'")
        )
    if given is not None and not isinstance(given, dict):
        return BatchItem(name, error=BadArguments("'arguments' must be an object"))
    try:
        return BatchItem(name, arguments.from_object(given or {}, "'arguments'"))
    except ApiError as error:
        return BatchItem(name, error=error)
