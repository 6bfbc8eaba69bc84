"""Answer the endpoints that read runs: each returns text for people and a document for programs."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.runs import MAX_PAGE_BYTES
from airflow_remote_server.errors import BadArguments, NotFound
from airflow_remote_server.integrations.run_tables import (
    RunFilter,
    find_import_errors,
    find_run,
    find_runs,
    find_tasks,
    open_session,
    read_source,
    require_dag,
)
from airflow_remote_server.runs.diagnosis import diagnose, format_diagnosis
from airflow_remote_server.runs.documents import (
    import_error_document,
    run_document,
    run_page,
    task_document,
)
from airflow_remote_server.runs.log_pages import LogPage, read_page
from airflow_remote_server.runs.reading import Reading
from airflow_remote_server.runs.tables import RUN_COLUMNS, format_run, format_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_remote_server.config.settings import Settings

DEFAULT_LIMIT = 25
PAGE_BYTES = 1 << 20
POLL_SECONDS = 1.0
"""The interval at which a followed log is read again."""

SLOW_POLL_SECONDS = 5.0
"""The same if Airflow's own reader has to read all of it."""


class RunReader:
    """Read runs, their tasks and logs.

    :param settings: the configuration
    """

    def __init__(self, settings: Settings) -> None:
        self.names = settings.sensitive_names
        self.airflow_major = settings.airflow_major
        self.endpoints: dict[str, Callable[[Mapping[str, Any]], Reading]] = {
            "runs": self.list_runs,
            "dag_run": self.show_run,
            "task_logs": self.show_log,
            "dag_source": self.show_source,
            "import_errors": self.list_import_errors,
            "diagnose": self.diagnose,
        }

    def read(self, name: str, values: Mapping[str, Any]) -> Reading:
        """Return what an endpoint reads.

        :param name: the endpoint
        :param values: its validated values
        :raises ApiError: if it cannot be read
        """
        return self.endpoints[name](values)

    def list_runs(self, values: Mapping[str, Any]) -> Reading:
        """Return a page of runs.

        :raises NotFound: if there is no such DAG
        """
        limit = int(values.get("limit") or DEFAULT_LIMIT)
        offset = int(values.get("offset") or 0)
        dag_id = values.get("dag_id")
        start, end = (parse_time(values, name) for name in ("start_date", "end_date"))
        with open_session() as session:
            wanted = RunFilter(dag_id, values.get("state"), start, end)
            rows, total = find_runs(session, wanted, limit, offset)
            if not total and dag_id:
                require_dag(session, dag_id)
            runs = [run_document(row, self.names) for row in rows]
        text = format_table(runs, RUN_COLUMNS) if runs else "No runs\n"
        return Reading(text, {"runs": runs, "total": total})

    def show_run(self, values: Mapping[str, Any]) -> Reading:
        """Return a run with its tasks.

        :raises NotFound: if there is no such run
        """
        with open_session() as session:
            run = find_run(session, values["dag_id"], values.get("run_id"))
            tasks = [task_document(row) for row in find_tasks(session, run.dag_id, run.run_id)]
            document = {
                **run_document(run, self.names),
                "note": run.note,
                "tasks": tasks,
                "counts": Counter(task["state"] or "none" for task in tasks),
                "url": run_page(run.dag_id, run.run_id, self.airflow_major),
            }
        return Reading(format_run(document), document)

    def show_log(self, values: Mapping[str, Any]) -> Reading:
        """Return a page of a task's log.

        :raises ApiError: if the log cannot be read
        """
        size = int(values.get("limit") or PAGE_BYTES)
        number = int(values["try_number"]) if "try_number" in values else None
        index = int(values.get("map_index", -1))

        def read(run_id: str | None, attempt: int | None, after: str, most: int = size) -> LogPage:
            return read_page(values["dag_id"], run_id, values["task_id"], index, attempt, after, most)

        first = read(values.get("run_id"), number, values.get("after") or "")

        def read_parts(is_over: Callable[[], bool]) -> Iterator[str]:
            page = first
            while True:
                yield page.text
                finished = page.complete if values.get("follow") else page.at_end
                if finished or is_over():
                    return
                if page.at_end:
                    time.sleep(POLL_SECONDS if page.is_direct else SLOW_POLL_SECONDS)
                most = size if page.is_direct else MAX_PAGE_BYTES
                # Of this run and try: there may be a newer one by now.
                page = read(page.key.run_id, page.number or number, page.cursor, most)

        result = {
            **first.key._asdict(),
            "try_number": first.number,
            "state": first.state,
            "next": first.cursor,
            "at_end": first.at_end,
            "complete": first.complete,
        }
        return Reading(first.text, result, read_parts, bool(values.get("follow")))

    def show_source(self, values: Mapping[str, Any]) -> Reading:
        """Return the source of a DAG.

        :raises NotFound: if there is no such DAG, or the database has no source of it
        """
        with open_session() as session:
            dag = require_dag(session, values["dag_id"])
            dag_id, path = dag.dag_id, dag.fileloc or ""
            source = read_source(session, dag_id, path)
        if not source:
            raise NotFound(f"Airflow's database has no source of DAG {dag_id!r} yet: its file is {path}")
        return Reading(source, {"dag_id": dag_id, "path": path})

    def list_import_errors(self, values: Mapping[str, Any]) -> Reading:
        """Return the import errors of DAG files."""
        with open_session() as session:
            errors = [import_error_document(row) for row in find_import_errors(session)]
        lines = [f"{error['filename']}:{error['line'] or 1}: {error['message']}\n" for error in errors]
        return Reading("".join(lines) or "No import errors\n", {"import_errors": errors})

    def diagnose(self, values: Mapping[str, Any]) -> Reading:
        """Explain a run.

        :raises NotFound: if there is no such DAG or run
        """
        diagnosis = diagnose(values["dag_id"], values.get("run_id"), self.names)
        return Reading(format_diagnosis(diagnosis), diagnosis)


def parse_time(values: Mapping[str, Any], name: str) -> datetime | None:
    """Return the time of an argument, in UTC unless it has a zone; None if it is not given.

    :param values: the validated values
    :param name: the argument
    :raises BadArguments: if it is not a time (ISO 8601)
    """
    text = str(values.get(name) or "")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 does not know the Z
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise BadArguments(f"{name}: {text[:80]!r} is not a date such as 2026-01-31T12:00:00Z") from None
