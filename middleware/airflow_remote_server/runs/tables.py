"""Runs and tasks as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RUN_COLUMNS = ("dag_id", "run_id", "state", "start_date", "duration")
TASK_COLUMNS = ("task_id", "state", "try_number", "start_date", "duration")
RUN_FIELDS = ("dag_id", "run_id", "state", "run_type", "logical_date", "start_date", "end_date", "duration")


def format_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as a table with aligned columns.

    :param rows: the rows
    :param columns: the keys to show
    """
    table = [tuple(columns), *(tuple(format_value(row[name]) for name in columns) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(columns))]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table)
    return "".join(f"{'  '.join(cells).rstrip()}\n" for cells in padded)


def format_run(run: Mapping[str, Any]) -> str:
    """Return a run and its tasks.

    :param run: the document of a run, with tasks
    """
    width = max(map(len, RUN_FIELDS))
    fields = "".join(f"{name.ljust(width)}  {format_value(run[name])}".rstrip() + "\n" for name in RUN_FIELDS)
    tasks = [{**task, "task_id": task_name(task)} for task in run["tasks"]]
    return f"{fields}\n{format_table(tasks, TASK_COLUMNS)}"


def task_name(task: Mapping[str, Any]) -> str:
    """Return the ID of a task instance, with its index if it is mapped.

    :param task: has ``task_id`` and ``map_index``
    """
    index = task["map_index"]
    return str(task["task_id"]) if index in (None, -1) else f"{task['task_id']}[{index}]"


def format_value(value: Any) -> str:
    """Return the text of a cell: "" for None, and numbers of seconds with one decimal.

    :param value: the value
    """
    if value is None:
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)
