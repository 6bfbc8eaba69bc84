"""Find the JSON document that a command printed amid other text.

Airflow prints rows as a list of objects on one line (``AirflowConsole.print_as_json``). Code of DAG files and
plugins may print anything before and after it. The output may come from an attacker, so the work is bounded:
every character is read a limited number of times.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_remote_server.util import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES = 20_000
"""How many of the last lines may hold the document."""

MAX_CANDIDATES = 200
"""How many lines that look like a document are tried."""

CLOSING = {"[": "]", "{": "}"}
ROWS = ("[{", "[]")
"""How a list of objects may begin."""


def find_document(text: str) -> Any:
    """Return the JSON array or object that a command printed; None if there is none.

    A document that is the whole text comes first, then the last line that is a list of objects, then such a
    list that spans lines, then one that begins within a line, behind text without a line break.

    :param text: the standard output of the command
    """
    stripped = text.strip()
    document = _parse(stripped)
    if document is None:
        lines = list(islice(lines_backward(stripped), MAX_LINES))
        document = next(filter(_is_rows, _documents_in(lines)), None)
    return document


def _documents_in(lines: list[str]) -> Iterator[Any]:
    """Yield the documents in some lines, the likeliest first; None for each text that is none.

    :param lines: the last line first
    """
    ends = [line for line in lines if line.endswith("]")][:MAX_CANDIDATES]
    yield from map(_parse, ends)
    yield _parse(_last_block(lines))
    for line in ends:
        starts = sorted(start for start in map(line.find, ROWS) if start > 0)
        yield from (_parse(line[start:]) for start in starts)


def _last_block(lines: list[str]) -> str:
    """Return the last lines from an opening bracket to its closing one, each alone on a line.

    :param lines: the last line first
    """
    if "]" not in lines:
        return ""
    end = lines.index("]")
    begin = lines.index("[", end) if "[" in lines[end:] else end
    return "\n".join(reversed(lines[end : begin + 1]))


def _parse(text: str) -> Any:
    """Return a JSON array or object; None for anything else.

    The value becomes part of the response. So JSON that not every parser accepts counts as something else.
    """
    if not text or text[-1] != CLOSING.get(text[0]):
        return None
    try:
        return strict_json.loads(text)
    except ValueError:
        return None


def _is_rows(document: Any) -> bool:
    return isinstance(document, list) and all(isinstance(row, dict) for row in document)


def lines_backward(text: str) -> Iterator[str]:
    """Yield the lines of a text that are not empty, the last one first, without a copy of all of them."""
    end = len(text)
    while end > 0:
        begin = text.rfind("\n", 0, end)
        line = text[begin + 1 : end].rstrip()
        if line:
            yield line
        end = begin
