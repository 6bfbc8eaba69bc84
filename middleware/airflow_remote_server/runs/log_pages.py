"""Read the log of a task page by page, each with a cursor for the next one."""

from __future__ import annotations

import logging
import re
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING

from airflow_remote_server.errors import ApiError, BadArguments, NotFound, Unavailable
from airflow_remote_server.integrations.run_tables import find_run, open_session
from airflow_remote_server.integrations.task_logs import (
    TaskKey,
    TaskTry,
    find_local_file,
    find_try,
    format_line,
    read_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

CURSOR = re.compile(r"([bl])([0-9]{1,15})")
"""A position in a log: in bytes of its file, or in lines of Airflow's own reader."""

START = "b0"
"""The cursor of the first page."""

SETTLE_SECONDS = 3.0
"""How long after the end of a task its last lines may take to be written."""

TAIL_BYTES = 1 << 18
"""How much of a file, at the most, is read for its last lines."""

ACTIVE = frozenset({None, "scheduled", "queued", "running", "restarting", "deferred", "up_for_reschedule"})
"""The states of a task whose latest try may write to its log (``airflow.utils.state.TaskInstanceState``)."""

MAX_LINE = 8 << 20
"""The maximum length of a line that is kept in one piece, in bytes."""


@dataclass(frozen=True)
class LogPage:
    """A part of a log.

    :param key: the task instance
    :param number: of the try; 0 if the task has not started
    :param state: of the try
    :param text: whole lines
    :param cursor: of the page after it
    :param at_end: whether nothing more is there now
    :param complete: whether nothing more will come
    """

    key: TaskKey
    number: int
    state: str | None
    text: str
    cursor: str
    at_end: bool
    complete: bool

    @property
    def is_direct(self) -> bool:
        """Return whether the next page is read from a file by its position."""
        return self.cursor.startswith("b")


def read_page(
    dag_id: str,
    run_id: str | None,
    task_id: str,
    map_index: int,
    number: int | None,
    after: str,
    size: int,
) -> LogPage:
    """Read a page of a log.

    :param dag_id: the DAG
    :param run_id: its run; None for the latest one
    :param task_id: the task
    :param map_index: -1 if it is not mapped
    :param number: of the try; None for the latest one
    :param after: the cursor of the page; "" for the first one
    :param size: the size of the page in bytes; it may be exceeded by a line
    :raises NotFound: if there is no such run, task, try, or log
    :raises BadArguments: if the cursor is not from an earlier page
    :raises Unavailable: if the log cannot be read
    """
    with open_session() as session:
        key = TaskKey(dag_id, find_run(session, dag_id, run_id).run_id, task_id, map_index)
        attempt = find_try(session, key, number)
        position = CURSOR.fullmatch(after or START)
        if position is None:
            raise BadArguments("after: give `next` of an earlier page")
        unit, offset = position[1], int(position[2])
        ended = has_ended(attempt)
        if attempt.number == 0:
            return LogPage(key, 0, attempt.state, "", after or START, at_end=True, complete=ended)
        path = find_local_file(attempt) if unit == "b" else None
        with readable(attempt):
            if path is not None:
                text, cursor, at_end = _read_file(path, offset, size, ended)
            else:
                text, cursor, at_end = _read_merged(attempt, offset if unit == "l" else 0, size, ended)
    return LogPage(key, attempt.number, attempt.state, text, cursor, at_end, ended and at_end)


def read_last_lines(
    dag_id: str, run_id: str, task_id: str, map_index: int, number: int, count: int
) -> list[str]:
    """Return the last lines of a log.

    :param dag_id: the DAG
    :param run_id: its run
    :param task_id: the task
    :param map_index: -1 if it is not mapped
    :param number: of the try
    :param count: the number of lines
    :raises NotFound: if there is no such run, task, try, or log
    :raises Unavailable: if the log cannot be read
    """
    with open_session() as session:
        key = TaskKey(dag_id, run_id, task_id, map_index)
        attempt = find_try(session, key, number)
        path = find_local_file(attempt)
        with readable(attempt):
            if path is None:
                lines, sources = read_lines(attempt)
                last = deque(without_groups(lines), count)
                if not last:
                    raise gone(attempt, sources)
                return list(last)
            with path.open("rb") as file:
                start = max(0, path.stat().st_size - TAIL_BYTES)
                file.seek(start)
                texts = file.read(TAIL_BYTES).decode("utf-8", "replace").rstrip("\n").split("\n")
    formatted = (format_line(line) for line in texts[1 if start else 0 :])
    return list(deque(without_groups(formatted), count))


def without_groups(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines but those that only begin or end a group, which Airflow's page folds.

    :param lines: formatted lines
    """
    return (line for line in lines if "::endgroup::" not in line and "::group::" not in line)


def has_ended(attempt: TaskTry) -> bool:
    """Return whether nothing more will be written to the log of a try.

    On Airflow 2, a task has its final state a moment before its last line is written.

    :param attempt: the try
    """
    if not attempt.latest:
        return True
    end = getattr(attempt.row, "end_date", None)
    settled = end is None or (datetime.now(timezone.utc) - end).total_seconds() > SETTLE_SECONDS
    return attempt.state not in ACTIVE and settled


@contextmanager
def readable(attempt: TaskTry) -> Iterator[None]:
    """Turn the errors of reading a log into one line.

    :param attempt: the try whose log is read
    :raises Unavailable: if it cannot be read: a log handler may raise anything
    """
    try:
        yield
    except ApiError:
        raise
    except Exception as error:
        log.warning("The log of task %r cannot be read", attempt.row.task_id, exc_info=True)
        raise Unavailable(
            f"the log cannot be read ({type(error).__name__}); see the webserver's log"
        ) from error


def gone(attempt: TaskTry, sources: list[str]) -> NotFound:
    """Return the error for a log that no source has.

    :param attempt: the try
    :param sources: where Airflow looked for it
    """
    looked = "; ".join(source.rstrip(":") for source in sources if source) or "no source has it"
    return NotFound(f"the log of try {attempt.number} of task {attempt.row.task_id!r} is gone: {looked}")


def _read_file(path: Path, offset: int, size: int, ended: bool) -> tuple[str, str, bool]:
    """Return whole lines of a file, the cursor after them, and whether the file ends there.

    :param path: the file
    :param offset: where to start, in bytes
    :param size: how many bytes to read
    :param ended: whether a last line without a line break is complete
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
        if len(data) == size and not data.endswith(b"\n"):
            data += file.readline(MAX_LINE)
        at_end = not file.read(1)
    if not (at_end and ended):
        data = data[: data.rfind(b"\n") + 1] or (data if len(data) > MAX_LINE else b"")
    text = data.decode("utf-8", "replace")
    lines = text.removesuffix("\n").split("\n") if text else []  # JSON may hold other line separators
    return "".join(f"{format_line(line)}\n" for line in lines), f"b{offset + len(data)}", at_end


def _read_merged(attempt: TaskTry, skip: int, size: int, ended: bool) -> tuple[str, str, bool]:
    """Return lines of Airflow's own reader, the cursor after them, and whether the log ends there.

    :param attempt: the try
    :param skip: how many lines to skip
    :param size: stop after this many characters
    :param ended: whether the log is complete
    :raises NotFound: if there is no log although the try has ended; the message says where it was looked for
    """
    lines, sources = read_lines(attempt)
    taken, length, at_end = list[str](), 0, True
    for line in islice(lines, skip, None):
        if length >= size:
            at_end = False
            break
        taken.append(line)
        length += len(line) + 1
    if not taken and not skip:
        if ended and attempt.state not in ("skipped", "upstream_failed", "removed"):
            raise gone(attempt, sources)
        return "", START, True  # its file may appear
    return "".join(f"{line}\n" for line in taken), f"l{skip + len(taken)}", at_end
