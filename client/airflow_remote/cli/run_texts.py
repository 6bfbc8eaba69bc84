"""Texts about DAG runs: durations, states, lines of tables."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from airflow_remote.api.task_log import label_of
from airflow_remote.cli.console import PROGRAM, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,3})?)s?)?")
EXCEPTION = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Timeout|Failure|NotFound)(?::|$)"
)
"""What the last line of a traceback begins with."""
UNITS = (86_400, 3600, 60, 1)


def duration(text: str) -> float:
    """Convert the value of an option; see ``parse_duration``.

    :raises click.BadParameter: if it is not a duration
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``90``, ``90s``, ``5m``, ``1h30m`` or ``2d``.

    :raises ValueError: if it is not a duration above 0
    """
    match = DURATION.fullmatch(text.strip().lower()) if text.isascii() else None
    seconds = sum(float(part or 0) * unit for part, unit in zip(match.groups(), UNITS)) if match else 0
    if not seconds:
        raise ValueError(f"{one_line(text[:40])!r} is not a duration; use one like 90s, 5m or 1h30m")
    return seconds


def format_seconds(seconds: Any) -> str:
    """Return a duration as in ``3.2 s`` or ``1 h 05 min``; "" if it is unknown."""
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 <= seconds < 1e9:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def seconds_since(moment: Any) -> float | None:
    """Return the seconds since a time of the API; None if it is invalid."""
    try:
        begun = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
        return max(0.0, (datetime.now(timezone.utc) - begun).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def duration_of(item: Mapping[str, Any]) -> str:
    """Return how long a run or a task took, or has taken by now.

    :param item: a run or a task of the API
    """
    if item.get("state") in ("running", "deferred") and item.get("start_date") and not item.get("end_date"):
        return format_seconds(seconds_since(item["start_date"]))
    return format_seconds(item.get("duration"))


def time_of(moment: Any) -> str:
    """Return a time of the API to the second; "" if there is none."""
    return "" if moment is None else one_line(str(moment))[:19].replace("T", " ")


def describe_task(task: Mapping[str, Any]) -> str:
    """Return the state of a task in words, as in ``running (try 2 of 3)``.

    :param task: a task of a run
    """
    number, most = task.get("try_number") or 0, task.get("max_tries")
    tries = most + 1 if type(most) is int else 0
    note = f" (try {number} of {max(number, tries)})" if number > 1 else ""
    taken = format_seconds(task.get("duration")) if task["state"] in ("success", "failed") else ""
    return one_line(f"{task['state'] or 'not started'}{note}{f' after {taken}' if taken else ''}")


def task_name(task: Mapping[str, Any]) -> str:
    """Return the name of a task without control characters."""
    return one_line(label_of(task))


def find_reason(log: str) -> str:
    """Return the line of a log that says why its task failed; "" if the log is empty.

    :param log: its last lines
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    found = [line for line in lines if EXCEPTION.match(line)] or [line for line in lines if "ERROR" in line]
    return one_line((found or lines or [""])[-1])


def summarize(run: Mapping[str, Any]) -> str:
    """Return the outcome of a run in one line.

    :param run: a run of the API, with its tasks
    """
    counts = Counter(str(task["state"] or "not started") for task in run["tasks"])
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    verb = {"success": "has succeeded", "failed": "has failed"}.get(run["state"], f"is {run['state']}")
    taken = duration_of(run)
    return one_line(
        f"run {run['run_id']} of {run['dag_id']} {verb}{f' after {taken}' if taken else ''}"
        f"{f': {states}' if states else ''}"
    )


def command_line(*words: str) -> str:
    """Return a command line of this program to be copied."""
    return shlex.join([PROGRAM, *words])
