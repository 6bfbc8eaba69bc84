"""The classic endpoints about DAGs and their runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import AS_JSON, Argument, Endpoint, Kind, Variant
from airflow_remote_server.catalog.version_args import unused

if TYPE_CHECKING:
    from airflow_remote_server.catalog.version_args import VersionArguments

DAG_ID = Argument("dag_id", required=True, help="ID of the DAG")


def dag_endpoints(version: VersionArguments) -> tuple[Endpoint, ...]:
    """Return the endpoints about DAGs and their runs.

    :param version: the arguments of the installed release
    """
    exec_date = Argument(
        "exec_date",
        "--exec-date" if version.two else "--logical-date",
        Kind.DATE,
        short="-e",
        aliases=("execution_date", "logical_date"),
        help="Execution date" if version.two else "Logical date",
    )
    trigger = Variant(
        ("dags", "trigger"),
        (
            DAG_ID,
            version.subdir(),
            Argument("run_id", "--run-id", short="-r", help="ID of the new run"),
            Argument(
                "conf",
                "--conf",
                Kind.JSON_OBJECT,
                short="-c",
                help="JSON object with the run's configuration",
            ),
            exec_date,
        ),
        # Airflow 2 truncates a run's date to seconds, and rejects a second run with the same date.
        fixed=(*AS_JSON, "--no-replace-microseconds") if version.two else AS_JSON,
    )
    state_when = (
        Argument("execution_date", kind=Kind.DATE, required=True, help="Execution date of the run")
        if version.two
        else version.run()
    )
    local = (
        ()
        if version.two
        else (
            Argument(
                "local", "--local", Kind.FLAG, help="Parse the DAG files instead of reading the database"
            ),
        )
    )
    return (
        Endpoint("trigger_dag", "Trigger a DAG run", (trigger,)),
        *(
            Endpoint(name, f"{name.capitalize()} a DAG", (_switch(version, name),))
            for name in ("pause", "unpause")
        ),
        Endpoint(
            "dag_state",
            "Show the state of a DAG run",
            (Variant(("dags", "state"), (DAG_ID, state_when, version.subdir()), read_only=True),),
        ),
        Endpoint(
            "list_dags",
            "List the DAGs",
            (
                Variant(("dags", "list"), (*version.dag_location(), *local), fixed=AS_JSON, read_only=True),
                Variant(
                    ("dags", "report"), version.dag_location(), name="report", fixed=AS_JSON, read_only=True
                ),
            ),
        ),
        _backfill(version),
    )


def _switch(version: VersionArguments, name: str) -> Variant:
    """Return ``pause`` or ``unpause``; both print JSON since Airflow 2.9."""
    fixed = AS_JSON if version.release >= (2, 9) else ()
    return Variant(("dags", name), (DAG_ID, version.subdir()), fixed=fixed)


def _backfill(version: VersionArguments) -> Endpoint:
    """Return ``backfill``: it blocks in Airflow 2, and is a request to the scheduler in Airflow 3."""
    dates = (
        ("start_date", "--start-date" if version.two else "--from-date", "-s", "First date"),
        ("end_date", "--end-date" if version.two else "--to-date", "-e", "Last date"),
    )
    shared = (
        *(Argument(name, flag, Kind.DATE, short=short, help=text) for name, flag, short, text in dates),
        Argument("dry_run", "--dry-run", Kind.FLAG, short="-dr", help="Show the runs without creating them"),
        Argument("run_backwards", "--run-backwards", Kind.FLAG, short="-B", help="Run latest dates first"),
        unused("include_adhoc", "No effect: Airflow no longer has ad-hoc tasks", short="-a"),
        Argument(
            "conf",
            "--conf" if version.two else "--dag-run-conf",
            Kind.JSON_OBJECT,
            short="-c",
            help="JSON object with the runs' configuration",
        ),
    )
    only_two = (
        version.only_two("task_regex", "--task-regex", short="-t", help="Only tasks with a matching ID"),
        version.only_two(
            "mark_success",
            "--mark-success",
            Kind.FLAG,
            short="-m",
            help="Mark tasks as succeeded without running them",
        ),
        version.only_two("local", "--local", Kind.FLAG, short="-l", help="Use the LocalExecutor"),
        version.only_two(
            "donot_pickle", "--donot-pickle", Kind.FLAG, short="-x", help="Do not pickle the DAG"
        ),
        version.only_two(
            "ignore_dependencies", "--ignore-dependencies", Kind.FLAG, short="-i", help="Ignore dependencies"
        ),
        version.only_two("pool", "--pool", help="Pool for the tasks"),
        version.only_two(
            "reset_dagruns",
            "--reset-dagruns",
            Kind.FLAG,
            "use reprocess_behavior",
            help="Reset existing runs",
        ),
        version.subdir(),
    )
    name = "ignore_first_depends_on_past"
    if version.two:
        ignore_first = Argument(
            name, "--ignore-first-depends-on-past", Kind.FLAG, short="-I", help="No effect"
        )
        variant = Variant(
            ("dags", "backfill"),
            (DAG_ID, *shared, *only_two, ignore_first),
            fixed=("--yes",),
            one_of=("start_date", "end_date"),
        )
    else:
        new = (
            Argument(
                "max_active_runs", "--max-active-runs", Kind.INTEGER, help="Maximum number of concurrent runs"
            ),
            Argument(
                "reprocess_behavior",
                "--reprocess-behavior",
                choices=("none", "completed", "failed"),
                help="Which existing runs to run again",
            ),
        )
        dag_id = Argument("dag_id", "--dag-id", required=True, help=DAG_ID.help)
        variant = Variant(
            ("backfill", "create"),
            (dag_id, *shared, *only_two, unused(name, "No effect"), *new),
            one_of=("start_date", "end_date"),
            mirrored=True,
        )
    return Endpoint("backfill", "Run a DAG for a range of dates", (variant,))
