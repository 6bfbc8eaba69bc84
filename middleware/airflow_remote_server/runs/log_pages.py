"""Read the log of a task page by page, each with a cursor for the next one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments, NotFound
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
    from pathlib import Path

CURSOR = re.compile(r"([bl])([0-9]{1,15})")
"""A position in a log: in bytes of its file, or in lines of Airflow's own reader."""

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
    """
    with open_session() as session:
        key = TaskKey(dag_id, find_run(session, dag_id, run_id).run_id, task_id, map_index)
        attempt = find_try(session, key, number)
        position = CURSOR.fullmatch(after or "b0")
        if position is None:
            raise BadArguments("after: give `next` of an earlier page")
        unit, offset = position[1], int(position[2])
        ended = not attempt.latest or attempt.state not in ACTIVE
        if attempt.number == 0:
            return LogPage(key, 0, attempt.state, "", "b0", at_end=True, complete=ended)
        path = find_local_file(attempt) if unit == "b" else None
        if path is not None:
            text, cursor, at_end = _read_file(path, offset, size, ended)
        else:
            text, cursor, at_end = _read_merged(attempt, offset if unit == "l" else 0, size, ended)
    return LogPage(key, attempt.number, attempt.state, text, cursor, at_end, ended and at_end)


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
    if ended and not taken and not skip and attempt.state not in ("skipped", "upstream_failed", "removed"):
        looked = "; ".join(source.rstrip(":") for source in sources if source) or "no source has it"
        raise NotFound(f"the log of try {attempt.number} of task {attempt.row.task_id!r} is gone: {looked}")
    return "".join(f"{line}\n" for line in taken), f"l{skip + len(taken)}", at_end
