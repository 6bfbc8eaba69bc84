"""The command ``logs``: print the logs of a DAG run's tasks.

The object of its click context is the program's ``CliContext``.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from airflow_remote.cli import console
from airflow_remote.cli.own_commands import RUNS
from airflow_remote.cli.run_texts import describe_task, task_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.api.runs import RunsApi
    from airflow_remote.cli.context import CliContext

FAILED = ("failed", "up_for_retry")
NOT_MAPPED = -1


@click.command(
    help=f"{RUNS['logs']}: of RUN, or of the DAG's latest run; of TASK, or of all tasks that have run.\n\n"
    "The log of one task is printed as it is. If there are several, each is headed by its task; with "
    "--follow, each line is."
)
@click.argument("dag_id", metavar="DAG")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.argument("task_id", metavar="[TASK]", required=False)
@click.option("-t", "--task", metavar="TASK", help="Like TASK, without a RUN before it.")
@click.option("--try", "try_number", type=click.IntRange(1), metavar="NUMBER", help="This try [the latest].")
@click.option("--map-index", type=click.IntRange(0), metavar="NUMBER", help="This index of a mapped task.")
@click.option("-f", "--follow", is_flag=True, help="Print what is written until the run, or the task, ends.")
@click.option("--failed", is_flag=True, help="Only the logs of tasks that have failed.")
@click.pass_context
def logs(ctx: click.Context, /, dag_id: str, run_id: str | None, **options: Any) -> None:
    """Print logs to standard output; with the program's --json, each part as a line of JSON."""
    context: CliContext = ctx.find_root().obj
    if context.detach:
        raise click.UsageError("--detach is only for commands that run on the server")
    if options["task"] and options["task_id"]:
        raise click.UsageError("give the task once: as TASK or with --task")
    task_id = options["task_id"] or options["task"]
    if options["map_index"] is not None and task_id is None:
        raise click.UsageError("--map-index needs a task: give TASK or --task")
    if options["follow"] and options["failed"]:
        raise click.UsageError("--failed cannot be combined with --follow: use only one of them")
    if options["follow"] and task_id is None and context.as_json:
        raise click.UsageError("--json with --follow needs a task: give TASK or --task")
    if options["follow"] and task_id is None:
        if options["try_number"] is not None:
            raise click.UsageError("--try with --follow needs a task: give TASK or --task")
        _follow_all(context, dag_id, run_id)
        return
    with context.client().open_runs() as runs_api:
        printer = LogPrinter(context, runs_api, options["try_number"], options["follow"])
        run = runs_api.get(dag_id, run_id)
        chosen = choose_tasks(run, task_id, options["map_index"], options["failed"])
        if options["follow"]:
            context.continues = "the run continues on the server"
        if not chosen:
            who = "no task" if task_id is None else f"no instance of task {task_id}"
            what = "failed" if options["failed"] else "run yet"
            where = f"run {run['run_id']} of {run['dag_id']}"
            context.notify(f"{who} of {where} has {what}; the state of the run is {run['state']}")
        else:
            printer.print_all(run, chosen)


def choose_tasks(
    run: Mapping[str, Any], task_id: str | None, map_index: int | None, failed: bool
) -> list[Mapping[str, Any]]:
    """Return the tasks whose logs are to be printed.

    :param run: the run with its tasks
    :param task_id: only this task; None for all that have run
    :param map_index: only this index of a mapped task; None for all
    :param failed: only those that have failed
    """
    from airflow_remote.api.task_log import may_have_log

    if task_id is None:
        chosen = [task for task in run["tasks"] if may_have_log(task)]
    else:
        chosen = [
            task
            for task in run["tasks"]
            if task["task_id"] == task_id and map_index in (None, task["map_index"])
        ]
        if not chosen:  # the server names the closest one
            index = NOT_MAPPED if map_index is None else map_index
            chosen = [{"task_id": task_id, "map_index": index, "state": None}]
            return [] if failed else chosen
    return [task for task in chosen if not failed or task["state"] in FAILED]


def _follow_all(context: CliContext, dag_id: str, run_id: str | None) -> None:
    from airflow_remote.cli.run_following import Following, follow_run

    follow_run(context, dag_id, run_id, Following(logs=True, to_stderr=True, live=False))


class LogPrinter:
    """Prints the logs of tasks, one after the other.

    :param context: the global options
    :param runs_api: the server's runs
    :param try_number: the try; None for the latest one
    :param follow: whether to wait for the end of each
    """

    def __init__(self, context: CliContext, runs_api: RunsApi, try_number: int | None, follow: bool) -> None:
        self._context = context
        self._runs_api = runs_api
        self._try_number = try_number
        self._follow = follow

    def print_all(self, run: Mapping[str, Any], tasks: list[Mapping[str, Any]]) -> None:
        """Print the logs of these tasks, each below a heading if there are several.

        :param run: their run
        :param tasks: at least one
        :raises ArgumentsError: if there is a log of none of them
        """
        from airflow_remote.errors import ArgumentsError

        failures = []
        for position, task in enumerate(tasks):
            if len(tasks) > 1 and not self._context.as_json:
                separator = "\n" if position else ""
                heading = f"==> {task_name(task)}: {describe_task(task)} <=="
                console.to_stdout(f"{separator}{heading}\n")
            try:
                self.print_one(run, task)
            except ArgumentsError as error:
                failures.append(error)
                if len(tasks) > 1:
                    self._context.notify(f"no log of {task_name(task)}: {error.message}")
        if len(failures) == len(tasks):
            raise failures[0]

    def print_one(self, run: Mapping[str, Any], task: Mapping[str, Any]) -> None:
        """Print the log of a task part by part.

        :param run: its run
        :param task: the task
        """
        from airflow_remote.api.runs import TaskTry
        from airflow_remote.api.task_log import LogReader

        number = self._try_number
        while True:
            where = TaskTry(run["dag_id"], run["run_id"], task["task_id"], task["map_index"], number)
            reader = LogReader(self._runs_api, where)
            for page in reader.follow() if self._follow else reader.read():
                if self._context.as_json:
                    line = json.dumps({**page.document, "text": page.text}, ensure_ascii=False)
                    console.to_stdout(f"{line}\n")
                else:
                    console.to_stdout(page.text)
            if not self._follow or self._try_number is not None:
                return
            number = self._next_try(run, task, reader.try_number or 0)
            if number is None:
                return

    def _next_try(self, run: Mapping[str, Any], task: Mapping[str, Any], number: int) -> int | None:
        """Wait for the next try of a task, and return its number; None if there will be none.

        :param run: its run
        :param task: the task
        :param number: of the try that has ended
        """
        from airflow_remote.api.run_watch import has_ended
        from airflow_remote.api.task_log import ENDED_STATES, POLL_SECONDS

        where = (task["task_id"], task["map_index"])
        while True:
            run = self._runs_api.get(run["dag_id"], run["run_id"])
            found = [entry for entry in run["tasks"] if (entry["task_id"], entry["map_index"]) == where]
            if not found:
                return None
            if (found[0].get("try_number") or 0) > number:
                return int(found[0]["try_number"])
            if found[0]["state"] in ENDED_STATES or has_ended(run):
                return None
            time.sleep(POLL_SECONDS)


COMMANDS = {"logs": logs}
