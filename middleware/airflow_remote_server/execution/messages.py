"""Choose the one-line message of a failed command from what it raised and printed.

The exception comes first, then standard output, where Airflow prints reasons such as "Connection not found.",
then the last line of standard error that is no log line, then the last error in the log.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING

from airflow_remote_server.util.printed_json import lines_backward

if TYPE_CHECKING:
    from airflow_remote_server.execution.outcome import Outcome

USAGE_ERROR = 2
"""The exit code of argparse."""

MAX_LENGTH = 2000
"""The maximum number of characters of a message."""

MAX_LINES = 2000
"""How many of the last lines of an output are examined."""

MAX_LAST_LINE = 300
"""The maximum number of characters of each of the last lines of a service."""

MAX_PARAGRAPH = 3
"""The maximum number of lines of a paragraph that is a message as a whole."""

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""Colors of a terminal."""

LOG_LINES = (
    re.compile(r"\[[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,+]+[^\]]*\] .*"),
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,+]+Z? +(?:\[|- |[A-Z]+ ).*"),
    re.compile(r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):.*"),
    re.compile(r".*:[0-9]+:? [A-Za-z0-9]*Warning: .*"),
)
"""Log lines of Airflow 2, of Airflow 3 (structlog) and of Python's own default, and Python's warnings."""

WORD = re.compile(r"\w")


ERROR_LEVEL = re.compile(r"\b(?:error|critical|ERROR|CRITICAL)\b")
LINK = "(Background on this error"
"""How the last line of SQLAlchemy's messages begins."""

PARSE_ERROR = re.compile(r"={3,} Parse error +[0-9]+ ={3,}")
"""What comes before each reason in the text of AirflowFileParseException."""

UNIQUE = (
    re.compile(r"UNIQUE constraint failed: (?P<table>\w+)\.(?P<first>\w+)(?P<more>(?:, \w+\.\w+)*)"),
    re.compile(r'unique constraint "(?P<key>\w+)"(?:.*Key \((?P<columns>[^)]*)\)=)?', re.DOTALL),
    re.compile(r"Duplicate entry .* for key '(?P<key>[\w.]+)'"),
)
"""How SQLite, PostgreSQL and MySQL report a row that exists already."""


RUN_KEYS = ("logical_date_key", "execution_date_key")
"""How the names of the keys of DAG runs end, which include their date."""

SAME_DATE = "the DAG has a run with this logical date already: give another date, or clear that run"


def choose_message(outcome: Outcome, stdout: str, stderr: str) -> str:
    """Return the message for a failed command.

    :param outcome: its end
    :param stdout: what it printed
    :param stderr: its messages and log
    :returns: one line; "" if there is nothing to tell
    """
    candidates = (
        describe_unique_constraint(outcome.message),
        describe_parse_error(outcome.message),
        # SQLAlchemy appends the statement and its parameters to the first line.
        first_line(outcome.message),
        # Airflow's parser prints its help to standard output, and what is wrong to standard error.
        last_line(stderr) if outcome.exit_code == USAGE_ERROR else "",
        last_paragraph(stdout),
        last_line(stderr),
        last_logged_error(stderr),
    )
    return next((text for text in candidates if text), "")[:MAX_LENGTH].rstrip()


def describe_unique_constraint(message: str) -> str:
    """Return a sentence for the database's error about a row that exists already; "" for other messages.

    :param message: the text of an exception, which may end with the statement and its parameters
    """
    for pattern in UNIQUE:
        match = pattern.search(message.partition("\n[SQL:")[0])
        if match is None:
            continue
        found = match.groupdict()
        if found.get("first"):
            names = [found["first"], *re.findall(r"\.(\w+)", found["more"])]
        else:
            names = (found.get("columns") or "").replace(" ", "").split(",")
        key = found.get("key") or ""
        if {"logical_date", "execution_date"} & {*names} or key.endswith(RUN_KEYS):
            return SAME_DATE
        what = f"the same {' and '.join(names)}" if names != [""] else f"the same values of the key {key}"
        where = f" in the table {found['table']}" if found.get("table") else ""
        return f"there is a row with {what}{where} already"
    return ""


def describe_parse_error(message: str) -> str:
    """Return the reasons why Airflow cannot parse a file of variables or connections; "" for other messages.

    :param message: the text of an AirflowFileParseException
    """
    head, *reasons = PARSE_ERROR.split(message)
    if not reasons:
        return ""
    first = " ".join(reasons[0].split())
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{first_line(head)} {first}{more}"


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """Return the last line of a text that is not empty and no log line.

    :param text: a message, or the standard error of a command
    """
    lines = _last_lines(text)
    for line, line_before in zip(lines, [*lines[1:], ""], strict=False):
        quoted = line.startswith("  ") and is_log_line(line_before)  # the source line that a warning names
        if not quoted and not is_log_line(line) and not line.startswith(LINK) and WORD.search(line):
            return line.strip()
    return ""


def last_lines(text: str, count: int = 3) -> list[str]:
    """Return the last lines of a log, without the lines of tracebacks that show the code.

    :param text: the standard error of a service
    :param count: the maximum number of lines
    """
    lines = (line.strip() for line in _last_lines(text) if not line.startswith((" ", "Traceback ", "\t")))
    return [line[:MAX_LAST_LINE] for line in islice(filter(None, lines), count)][::-1]


def last_logged_error(text: str) -> str:
    """Return what the last log line of an error says.

    :param text: the standard error of a command
    """
    lines = (line for line in _last_lines(text) if is_log_line(line))
    return next((event_of(line) for line in lines if ERROR_LEVEL.search(line)), "")


def last_paragraph(text: str) -> str:
    """Return the last paragraph of a text as one line: of a long one, the last line; "" for JSON.

    :param text: the standard output of a command
    """
    tail = "\n".join(line.rstrip() for line in ESCAPES.sub("", text[-MAX_LENGTH * 4 :]).splitlines()).strip()
    lines = tail.rpartition("\n\n")[2].splitlines()
    if not lines or lines[-1][-1:] in ("]", "}"):
        return ""
    return " ".join(lines if len(lines) <= MAX_PARAGRAPH else lines[-1:]).strip()


def is_log_line(line: str) -> bool:
    """Return whether a line is one of a log, or of a Python warning."""
    if line.startswith("{"):
        return bool(_fields_of(line).keys() & {"event", "level", "levelname", "timestamp", "asctime"})
    return any(pattern.fullmatch(line) for pattern in LOG_LINES)


def event_of(line: str) -> str:
    """Return what a log line says, without its time, level and source."""
    fields = _fields_of(line)
    if fields:
        return first_line(str(fields.get("event") or fields.get("message") or ""))
    text = re.sub(r"^.*?(?:\] +|\b(?:ERROR|CRITICAL)(?: - |:))", "", line, count=1)
    return re.sub(r"^\{[^}]*\} (?:ERROR|CRITICAL) - ", "", text).strip()


def _fields_of(line: str) -> dict[str, object]:
    try:
        fields = json.loads(line) if line.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _last_lines(text: str) -> list[str]:
    """Return the last lines of a text that are not empty, the last one first, without colors."""
    lines: list[str] = []
    for line in islice(lines_backward(text), MAX_LINES):
        lines += reversed(ESCAPES.sub("", line[: MAX_LENGTH * 4]).splitlines())
    return lines
