"""The endpoints that read DAG runs, their tasks and logs. They run no command."""

from __future__ import annotations

from airflow_remote_server.catalog.dags import DAG_ID
from airflow_remote_server.catalog.spec import Argument, Endpoint, Handler, Kind, Variant

RUN_STATES = ("queued", "running", "success", "failed")
"""The states of a run (``airflow.utils.state.DagRunState``)."""

MAX_RUNS = 1000
"""The maximum number of runs in a page of the list."""

MAX_PAGE_BYTES = 8 << 20
"""The maximum size of a page of a log, in bytes."""

MAX_NUMBER = (1 << 31) - 1
"""The greatest number that every database of Airflow can hold."""

SOME_DAG = Argument("dag_id", "--dag-id", help="ID of the DAG; all DAGs by default")
RUN_ID = Argument("run_id", "--run-id", help="ID of the run; the latest one by default")


def run_endpoints() -> tuple[Endpoint, ...]:
    """Return the endpoints that read runs."""
    runs = (
        SOME_DAG,
        Argument("state", "--state", choices=RUN_STATES, help="Only runs in this state"),
        Argument("start_date", "--start-date", Kind.DATE, help="Only runs that started since this time"),
        Argument("end_date", "--end-date", Kind.DATE, help="Only runs that started before this time"),
        Argument(
            "limit", "--limit", Kind.INTEGER, help="Number of runs, 25 by default", bounds=(1, MAX_RUNS)
        ),
        Argument("offset", "--offset", Kind.INTEGER, help="Number of runs to skip", bounds=(0, MAX_NUMBER)),
    )
    logs = (
        DAG_ID,
        RUN_ID,
        Argument("task_id", "--task-id", required=True, help="ID of the task"),
        Argument(
            "map_index", "--map-index", Kind.INTEGER, help="Index of a mapped task", bounds=(-1, MAX_NUMBER)
        ),
        Argument(
            "try_number",
            "--try-number",
            Kind.INTEGER,
            help="Number of the try; the latest by default",
            bounds=(1, MAX_NUMBER),
        ),
        Argument("after", "--after", help="`next` of the page before: continue there"),
        Argument(
            "limit",
            "--limit",
            Kind.INTEGER,
            help="Size of a page in bytes, 1 MiB by default",
            bounds=(1, MAX_PAGE_BYTES),
        ),
        Argument("follow", "--follow", Kind.FLAG, help="Wait for more until the task ends (plain text only)"),
    )
    return (
        _reading("runs", "List DAG runs, the latest first", runs),
        _reading("dag_run", "Show a DAG run and its tasks", (DAG_ID, RUN_ID)),
        _reading("task_logs", "Show the log of a task", logs),
        _reading("dag_source", "Show the source of a DAG", (DAG_ID,)),
        _reading("import_errors", "Show the import errors of DAG files", ()),
        _reading("diagnose", "Explain why a DAG run failed or waits", (DAG_ID, RUN_ID)),
    )


def _reading(name: str, summary: str, arguments: tuple[Argument, ...]) -> Endpoint:
    """Return an endpoint that reads Airflow's database.

    :param name: its name
    :param summary: one line for users
    :param arguments: its arguments
    """
    return Endpoint(name, summary, (Variant((), arguments, read_only=True),), handler=Handler.READ)
