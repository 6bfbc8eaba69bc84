"""Runs, tasks and import errors as JSON objects."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_remote_server.util.masking import MASK, mask_urls, redact_json

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCATION = re.compile(r'File "([^"]+)", line (\d+)')
"""A line of a traceback."""


def time_text(value: datetime | None) -> str | None:
    """Return a time in UTC as text (RFC 3339); None without a time.

    :param value: the time, in any zone
    """
    if value is None:
        return None
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds between two times; those until now if the end is missing.

    :param start: None gives None
    :param end: the end
    """
    if start is None:
        return None
    return round(((end or datetime.now(timezone.utc)) - start).total_seconds(), 3)


def run_document(run: Any, names: frozenset[str]) -> dict[str, Any]:
    """Return a run.

    :param run: a row of ``airflow.models.dagrun.DagRun``
    :param names: parts of the names of secrets in its configuration
    """
    conf = run.conf if isinstance(run.conf, dict) else {}
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": str(getattr(run.state, "value", run.state)),
        "run_type": str(getattr(run.run_type, "value", run.run_type)),
        "logical_date": time_text(getattr(run, "logical_date", None) or getattr(run, "execution_date", None)),
        "queued_at": time_text(run.queued_at),
        "start_date": time_text(run.start_date),
        "end_date": time_text(run.end_date),
        "duration": seconds_between(run.start_date, run.end_date),
        "conf": visible_conf(conf, names),
        "triggering_user": getattr(run, "triggering_user_name", None),
    }


def visible_conf(conf: dict[str, Any], names: frozenset[str]) -> Any:
    """Return the configuration of a run, secrets masked; ``MASK`` if it is not JSON.

    :param conf: on Airflow 2, it may hold any Python object
    :param names: parts of the names of secrets
    """
    try:
        return json.loads(mask_urls(redact_json(json.dumps(conf, default=str), names), names))
    except (ValueError, RecursionError):
        return MASK


def task_document(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task instance.

    :param task: from ``find_tasks``
    """
    dates = {name: time_text(task[name]) for name in ("start_date", "end_date")}
    state = task["state"]
    duration = seconds_between(task["start_date"], task["end_date"])
    return {
        **task,
        **dates,
        "state": None if state is None else str(getattr(state, "value", state)),
        "duration": duration if task["duration"] is None else round(task["duration"], 3),
    }


def run_page(dag_id: str, run_id: str, airflow_major: int) -> str:
    """Return the path of Airflow's page of a run, below the address of the webserver.

    :param dag_id: the DAG
    :param run_id: the run
    :param airflow_major: 2 or 3
    """
    dag, run = quote(dag_id, safe=""), quote(run_id, safe="")
    return f"/dags/{dag}/runs/{run}" if airflow_major > 2 else f"/dags/{dag}/grid?dag_run_id={run}"


def import_error_document(row: Any) -> dict[str, Any]:
    """Return an import error.

    :param row: a row of Airflow's table
    """
    filename, trace = row.filename or "", row.stacktrace or ""
    places = [int(line) for path, line in LOCATION.findall(trace) if path.endswith(filename)]
    return {
        "filename": filename,
        "bundle_name": getattr(row, "bundle_name", None),
        "timestamp": time_text(row.timestamp),
        "message": last_line(trace),
        "stacktrace": trace,
        "line": places[-1] if places else None,
    }


def last_line(trace: str) -> str:
    """Return the last line of a traceback, which names the exception.

    :param trace: the traceback
    """
    return trace.strip().rpartition("\n")[2]
