"""Read the logs of tasks: by the file if it is on this machine, otherwise by Airflow's own reader.

Airflow's reader (``airflow.utils.log.log_reader.TaskLogReader``) merges remote, served and local logs, and
reads each of them as a whole, so a single local file is read directly, by position.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_remote_server.errors import NotFound, Unavailable
from airflow_remote_server.integrations.base import call_guarded
from airflow_remote_server.integrations.release import installed_release
from airflow_remote_server.integrations.run_tables import MAX_SIMILAR, try_column
from airflow_remote_server.util.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP, END_OF_GROUP = "::group::Log message source details", "::endgroup::"
"""The lines around the sources of a log, which Airflow puts in front of it."""

LEGACY_SOURCE = "***"
"""The beginning of a line about a source, in Airflow 2."""


class TaskKey(NamedTuple):
    """A task instance.

    :param dag_id: its DAG
    :param run_id: its run
    :param task_id: its task
    :param map_index: -1 if it is not mapped
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


class TaskTry(NamedTuple):
    """A try of a task instance.

    :param row: the row of the task instance, or of its history
    :param number: of the try; 0 if there was none yet
    :param state: of the task instance, or the final one of an earlier try; None if it has none yet
    :param latest: whether it is the latest try
    """

    row: Any
    number: int
    state: str | None
    latest: bool


def find_try(session: Any, key: TaskKey, number: int | None) -> TaskTry:
    """Return a try of a task instance.

    :param session: from ``open_session``
    :param key: the task instance
    :param number: of the try; None for the latest one
    :raises NotFound: if there is no such task instance or try; the message names a similar one
    """
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    of_run = (TaskInstance.dag_id == key.dag_id, TaskInstance.run_id == key.run_id)
    is_task = (TaskInstance.task_id == key.task_id, TaskInstance.map_index == key.map_index)
    wanted = select(TaskInstance, try_column()).where(*of_run, *is_task)
    # Airflow's reader needs the triggerer of a deferred task after the session has ended.
    triggerer = joinedload(TaskInstance.trigger).joinedload(Trigger.triggerer_job)
    found = session.execute(wanted.options(triggerer)).first()
    if found is None:
        tasks = select(TaskInstance.task_id, TaskInstance.map_index).where(*of_run).limit(MAX_SIMILAR)
        raise _no_task(key, [(task_id, index) for task_id, index in session.execute(tasks)])
    row, latest = found
    if installed_release() < (2, 10) and row.state in ("deferred", "up_for_reschedule"):
        latest = (latest or 0) + 1  # until 2.9, such a task has given its try back
    state = None if row.state is None else str(getattr(row.state, "value", row.state))
    if number in (None, latest):
        return TaskTry(row, latest or 0, state, latest=True)
    if not 0 < number < (latest or 0):
        tries = f"tries 1 to {latest}" if latest else "no try yet"
        raise NotFound(f"task {key.task_id!r} of run {key.run_id!r} has {tries}, not {number}")
    earlier = call_guarded(lambda: _find_earlier(session, key, number), None)
    final = None if earlier is None or earlier.state is None else str(earlier.state)
    return TaskTry(row if earlier is None else earlier, number, final or "failed", latest=False)


def _no_task(key: TaskKey, known: list[tuple[str, int]]) -> NotFound:
    """Return the error for a task instance that does not exist.

    :param key: the task instance
    :param known: IDs and indexes of those of the run
    """
    indexes = sorted(index for task_id, index in known if task_id == key.task_id)
    if indexes == [-1]:
        return NotFound(f"task {key.task_id!r} is not mapped: leave map_index out")
    if indexes:
        example = f"{indexes[0]} to {indexes[-1]}"
        return NotFound(f"task {key.task_id!r} is mapped: give map_index, from {example}")
    hint = did_you_mean(key.task_id, {task_id for task_id, _ in known})
    return NotFound(f"run {key.run_id!r} of DAG {key.dag_id!r} has no task {key.task_id[:250]!r}{hint}")


def _find_earlier(session: Any, key: TaskKey, number: int) -> Any:
    """Return the row of an earlier try; None if Airflow keeps none (before 2.10)."""
    if installed_release() < (3, 0):
        return None  # the reader of Airflow 2 takes the task instance itself
    from airflow.models.taskinstancehistory import TaskInstanceHistory as History
    from sqlalchemy import select

    is_try = (History.map_index == key.map_index, History.try_number == number)
    of_task = (History.dag_id == key.dag_id, History.run_id == key.run_id, History.task_id == key.task_id)
    return session.scalar(select(History).where(*of_task, *is_try))


def find_local_file(attempt: TaskTry) -> Path | None:
    """Return the only file with the log of a try; None if Airflow's own reader has to merge its parts.

    :param attempt: the try
    """
    return call_guarded(lambda: _find_local_file(attempt), None)


def _find_local_file(attempt: TaskTry) -> Path | None:
    from airflow.configuration import conf
    from airflow.utils.log.file_task_handler import FileTaskHandler

    handler = _reader().log_handler
    if type(handler) is not FileTaskHandler or conf.getboolean("logging", "remote_logging", fallback=False):
        return None
    base = Path(os.path.realpath(handler.local_base))
    path = Path(handler.local_base, handler._render_filename(attempt.row, attempt.number))  # noqa: SLF001
    files = sorted(file for file in path.parent.iterdir() if file.name.startswith(path.name))
    real = Path(os.path.realpath(path))
    return real if files == [path] and base in real.parents else None


def read_lines(attempt: TaskTry) -> tuple[Iterator[str], list[str]]:
    """Return the lines of a log, as Airflow's own reader gives them, and where it looked for them.

    The sources are complete once the first line has been taken.

    :param attempt: the try
    :raises Unavailable: if the configured log handler cannot read logs
    """
    reader = _reader()
    if not reader.supports_read:
        raise Unavailable("Airflow's log handler ([logging] task_log_reader) cannot read logs")
    row, sources = attempt.row, list[str]()
    row.task = call_guarded(lambda: _find_operator(row), None)
    return _without_sources(_read_chunks(reader, row, attempt.number), sources), sources


def _read_chunks(reader: Any, row: Any, number: int) -> Iterator[str]:
    """Yield the lines of a log, which some handlers return in chunks, such as that of Elasticsearch.

    :param reader: Airflow's reader
    :param row: the task instance
    :param number: of the try
    """
    metadata: dict[str, Any] = {}
    while True:
        logs, metadata = reader.read_log_chunks(row, number, metadata)
        silent = True
        for line in _lines_of_texts(logs) if installed_release() < (3, 0) else map(format_message, logs):
            silent = False
            yield line
        # The handler of files returns all of a log at once, and only says that more may be written later.
        if silent or metadata.get("end_of_log", True) or "offset" not in metadata:
            return


def _find_operator(row: Any) -> Any:
    from airflow.models.serialized_dag import SerializedDagModel

    serialized = SerializedDagModel.get(row.dag_id)
    return None if serialized is None else serialized.dag.get_task(row.task_id)


def _reader() -> Any:
    from airflow.utils.log.log_reader import TaskLogReader

    return TaskLogReader()


def _lines_of_texts(logs: Any) -> Iterator[str]:
    """Yield the lines of the logs of Airflow 2: pairs of host and text by try."""
    for parts in logs:
        for part in parts if isinstance(parts, list) else [("", parts)]:
            yield from str(part[1]).splitlines()


def _without_sources(lines: Iterator[str], sources: list[str]) -> Iterator[str]:
    """Yield lines without those about the sources of the log at its beginning.

    :param lines: all lines
    :param sources: gets the text of the others
    """
    in_group = begun = False
    for line in lines:
        if not begun and GROUP in line:
            in_group = True
        elif in_group:
            in_group = END_OF_GROUP not in line
            if in_group:
                sources.append(line.removeprefix(LEGACY_SOURCE).strip())
        elif not begun and line.startswith(LEGACY_SOURCE):
            sources.append(line.removeprefix(LEGACY_SOURCE).strip())
        elif begun or line.strip():
            begun = True
            yield line


def format_message(message: Any) -> str:
    """Return a message of Airflow 3's reader as text.

    :param message: an ``airflow.utils.log.file_task_handler.StructuredLogMessage``, or its text
    """
    if isinstance(message, str):
        return format_line(message)
    return format_fields(message.model_dump(mode="json"))


def format_line(line: str) -> str:
    """Return a line of a log as text: those of Airflow 3 are JSON objects.

    :param line: without its line break
    """
    if not line.startswith("{"):
        return line
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    return format_fields(fields) if isinstance(fields, dict) and "event" in fields else line


def format_fields(fields: dict[str, Any]) -> str:
    """Return a structured log message as text, with the traceback of an exception.

    :param fields: of the message (``airflow.sdk.log``), such as timestamp, level, event and error_detail
    """
    time, level = fields.pop("timestamp", None), str(fields.pop("level", "") or "")
    event, details = str(fields.pop("event", "")), fields.pop("error_detail", None)
    for name in ("logger", "filename", "lineno", "loc", "chan"):
        fields.pop(name, None)
    more = "".join(f" {name}={value}" for name, value in fields.items() if value is not None)
    head = f"[{time}] " if time else ""
    text = f"{head}{level.upper()} - {event}{more}" if level else f"{head}{event}{more}"
    return "\n".join([text, *_traceback_lines(details)])


def _traceback_lines(details: Any) -> Iterator[str]:
    """Yield the lines of a traceback.

    :param details: a list of exceptions (``structlog.tracebacks``); anything else has none
    """
    for error in details if isinstance(details, list) else []:
        if not isinstance(error, dict):
            continue
        frames = [frame for frame in error.get("frames") or [] if isinstance(frame, dict)]
        if frames:
            yield "Traceback (most recent call last):"
        for frame in frames:
            yield f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
        yield f"{error.get('exc_type')}: {error.get('exc_value')}"
