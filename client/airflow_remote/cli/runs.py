"""The commands ``runs list``, ``show``, ``watch`` and ``diagnose``.

The object of their click context is the program's ``CliContext``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airflow_remote.catalog.classic import normalize
from airflow_remote.cli import console
from airflow_remote.cli.console import one_line
from airflow_remote.cli.formats import format_cell, format_table, plain_format_option, write_list, write_plain
from airflow_remote.cli.own_commands import RUNS
from airflow_remote.cli.run_texts import duration, duration_of, task_name, time_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.cli.context import CliContext
    from airflow_remote.client import DagRun

STATES = ("queued", "running", "success", "failed")
HEAD = ("DAG", "RUN", "STATE", "TYPE", "STARTED", "DURATION")
TASK_HEAD = ("TASK", "STATE", "TRY", "STARTED", "DURATION", "OPERATOR")
FACTS = ("dag_id", "run_id", "state", "run_type", "logical_date", "queued_at", "start_date", "end_date")
MORE_FACTS = ("triggering_user", "conf", "note")

dag_argument = click.argument("dag_id", metavar="DAG")
run_argument = click.argument("run_id", metavar="[RUN]", required=False)


@click.group(
    name="runs",
    no_args_is_help=False,
    help=f"{RUNS['runs']}. RUN is the id of a run; without it, the DAG's latest run is meant.",
    context_settings={"token_normalize_func": normalize},
)
@click.pass_obj
def runs(context: CliContext) -> None:
    """Reject --detach, which these commands do not support."""
    if context.detach:
        raise click.UsageError("--detach is only for commands that run on the server")


@runs.command("list", help="List DAG runs, newest first.")
@click.argument("dag_id", metavar="[DAG]", required=False)
@click.option("--state", type=click.Choice(STATES), help="Only runs in this state.")
@click.option("--start-date", metavar="DATE", help="Only runs that started at this time or later.")
@click.option("--end-date", metavar="DATE", help="Only runs that started before this time.")
@click.option(
    "--limit", type=click.IntRange(1), default=25, metavar="NUMBER", help="Maximum number of runs [25]."
)
@plain_format_option
@click.pass_obj
def list_runs(
    context: CliContext, /, dag_id: str | None, limit: int, output_format: str, **conditions: str | None
) -> None:
    """Print a table, or JSON as returned by the server."""
    found = context.client().iter_runs(dag_id, limit=limit, **conditions)
    if output_format == "plain" and not context.as_json:
        write_plain(map(_row, found))
    else:
        write_list("runs", found, (HEAD, _row), output_format == "json" or context.as_json)


@runs.command(help="Show a DAG run and its tasks.")
@dag_argument
@run_argument
@plain_format_option
@click.pass_obj
def show(context: CliContext, dag_id: str, run_id: str | None, output_format: str) -> None:
    """Print tables, the tasks only, or JSON as returned by the server."""
    run = context.client().dag_run(dag_id, run_id)
    if output_format == "json" or context.as_json:
        console.document(run.document)
    elif output_format == "plain":
        write_plain(map(_task_row, run.tasks))
    else:
        facts = [(name, format_cell(run.document.get(name))) for name in FACTS]
        facts += [(name, format_cell(run.document[name])) for name in MORE_FACTS if run.document.get(name)]
        console.to_stdout(format_table([*facts, ("duration", duration_of(run.document))]))
        console.to_stdout(f"\n{format_table([TASK_HEAD, *map(_task_row, run.tasks)])}")


@runs.command(
    short_help="Watch a DAG run until it ends, and exit with 0 or 1.",
    help="Watch a DAG run until it ends. Exit with 0 if it succeeds, with 1 if it fails. On a terminal, a "
    "table shows the tasks; otherwise, each change of a state is a line. Ctrl-C does not stop the run.",
)
@dag_argument
@run_argument
@click.option("--logs", is_flag=True, help="Print the logs of the tasks as they run.")
@click.option(
    "--timeout",
    type=duration,
    metavar="DURATION",
    help="Watch at most this long, such as 90s, 5m or 1h30m; then exit with 124.",
)
@click.option(
    "-o",
    "--output",
    "output_format",
    type=click.Choice(["table", "json", "plain"]),
    default="table",
    help="Output format [table]; plain prints lines only; json prints the run at its end, and the rest "
    "to standard error.",
)
@click.pass_context
def watch(
    ctx: click.Context, dag_id: str, run_id: str | None, logs: bool, timeout: float | None, output_format: str
) -> None:
    """Print states and logs to standard output."""
    from airflow_remote.cli.run_following import Following, exit_status_of_run, follow_run

    context: CliContext = ctx.find_root().obj
    as_json = output_format == "json" or context.as_json
    following = Following(logs, timeout, as_json, as_json, live=output_format == "table")
    run = follow_run(context, dag_id, run_id, following)
    if as_json:
        console.document(run)
    ctx.exit(exit_status_of_run(run))


@runs.command(
    short_help="Say why a DAG run failed, or what it waits for.",
    help="Say why a DAG run failed, or what it waits for: errors of tasks with the last lines of their logs, "
    "import errors, a paused DAG, a full pool, a scheduler that does not run.",
)
@dag_argument
@run_argument
@plain_format_option
@click.pass_obj
def diagnose(context: CliContext, dag_id: str, run_id: str | None, output_format: str) -> None:
    """Print the server's text; plain is a line for each problem; or JSON as returned by the server."""
    with context.client().open_runs() as runs_api:
        found, text = runs_api.diagnose(dag_id, run_id)
    if output_format == "json" or context.as_json:
        console.document(found)
    elif output_format == "plain":
        write_plain(map(_problem_row, found["problems"]))
    else:
        console.to_stdout(f"{text}\n" if text and not text.endswith("\n") else text)


def _row(run: DagRun) -> tuple[str, ...]:
    document = run.document
    cells = (run.dag_id, run.run_id, run.state, document.get("run_type"))
    started = time_of(document.get("start_date") or document.get("queued_at"))
    return *map(format_cell, cells), started, duration_of(document)


def _task_row(task: Mapping[str, Any]) -> tuple[str, ...]:
    cells = (task["state"] or "-", task.get("try_number"), time_of(task.get("start_date")))
    return (
        task_name(task),
        *map(format_cell, cells),
        duration_of(task),
        format_cell(task.get("operator")),
    )


def _problem_row(problem: Mapping[str, Any]) -> tuple[str, ...]:
    task = task_name({"map_index": -1, **_without_none(problem)}) if problem.get("task_id") else ""
    return tuple(
        one_line(str(cell))
        for cell in (problem["kind"], task, problem["message"], problem.get("advice") or "")
    )


def _without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


COMMANDS = {"runs": runs}
