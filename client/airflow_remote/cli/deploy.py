"""The command ``deploy``: deploy a DAG file, trigger its DAG, and follow the run.

The object of its click context is the program's ``CliContext``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_remote.cli import console
from airflow_remote.cli.console import one_line
from airflow_remote.cli.import_errors import locate_errors
from airflow_remote.cli.own_commands import RUNS
from airflow_remote.cli.run_texts import command_line, duration, format_seconds
from airflow_remote.errors import AnsweredError, UnusableError
from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote.cli.context import CliContext
    from airflow_remote.client import Client
    from airflow_remote.models import Result

PARSE_SECONDS = 300
"""How long to wait until Airflow has parsed the file; the server's own default interval is shorter."""


@click.command(
    short_help=RUNS["deploy"],
    help=f"{RUNS['deploy']}. A line is printed for each step. Errors of the file are printed as "
    "file:line: message.\n\nWith --follow, the exit status is 0 if the run succeeds, and 1 if it fails.",
)
@click.argument("file", type=click.Path(), metavar="FILE")
@click.option("--wait", is_flag=True, help="Wait until Airflow has parsed the file.")
@click.option("--trigger", is_flag=True, help="Wait, and trigger the file's DAG.")
@click.option("--follow", is_flag=True, help="Trigger, and follow the run with the logs of its tasks.")
@click.option("--dag", "dag_id", metavar="DAG", help="The DAG to trigger, if the file has several.")
@click.option("-c", "--conf", metavar="JSON", help="JSON object with the run's configuration.")
@click.option(
    "--timeout",
    type=duration,
    metavar="DURATION",
    help="Follow, but at most this long, such as 90s, 5m or 1h30m; then exit with 124. The run goes on.",
)
@click.option(
    "--force", is_flag=True, help="Replace an existing file, and take over DAG IDs from other files."
)
@click.option("--pause", is_flag=True, help="Pause the file's DAGs.")
@click.option("--unpause", is_flag=True, help="Unpause the file's DAGs: a paused DAG does not run.")
@click.option("--folder", metavar="TEXT", help="Subdirectory of the DAGs folder.")
@click.option(
    "--bundle-name", metavar="TEXT", help="DAG bundle, if several are local folders (Airflow 3 only)."
)
@click.pass_context
def deploy(
    ctx: click.Context,
    /,
    file: str,
    wait: bool,
    trigger: bool,
    follow: bool,
    dag_id: str | None,
    conf: str | None,
    timeout: float | None,
    **more: Any,
) -> None:
    """Print a line for each step to standard output, and the errors of the file to standard error."""
    context: CliContext = ctx.find_root().obj
    if context.detach or context.as_json:
        raise click.UsageError("--detach and --json are not for deploy; use deploy_dag")
    follow = follow or timeout is not None
    trigger = trigger or follow
    if not trigger and (dag_id is not None or conf is not None):
        raise click.UsageError("--dag and --conf need --trigger or --follow")
    client = context.client()
    context.sent = True
    arguments = {name: value for name, value in more.items() if value}
    dag_ids = deploy_file(client, file, arguments, wait or trigger)
    if not trigger:
        return
    chosen = choose_dag(dag_ids, dag_id, file)
    result = client.run("trigger_dag", {"dag_id": chosen, "conf": conf})
    print_step("triggered", f"{chosen}, run {result.dag_run_id or '(its id is unknown)'}")
    if not follow:
        ctx.exit(ExitStatus.OK)
    from airflow_remote.cli.run_following import Following, follow_triggered

    ctx.exit(follow_triggered(context, result, chosen, Following(logs=True, timeout=timeout)))


def deploy_file(client: Client, file: str, arguments: Mapping[str, Any], wait: bool) -> list[str]:
    """Deploy a file, and return the ids of its DAGs.

    :param arguments: more arguments of ``deploy_dag``
    :param wait: whether to wait until Airflow has parsed it
    :raises RemoteError: if it was not deployed, or not parsed in time
    """
    begun = time.monotonic()
    waiting = {"wait": str(PARSE_SECONDS)} if wait else {}
    try:
        result = client.run("deploy_dag", {**arguments, **waiting, "dag_file": Path(file)})
    except AnsweredError as error:
        for line in locate_errors(error.result.envelope.get("import_errors"), file):
            console.to_stderr(f"{line}\n")
        raise
    dag_ids = dag_ids_of(result)
    names = ", ".join(map(one_line, dag_ids))
    print_step("deployed", f"{file}, {f'DAGs: {names}' if names else 'without any DAG'}")
    if result.warning:
        console.note(f"warning: {result.warning}")
    if wait and dag_ids:
        print_step("parsed", f"within {format_seconds(time.monotonic() - begun)}")
    return dag_ids


def dag_ids_of(result: Result) -> list[str]:
    """Return the ids of the DAGs that were deployed."""
    dag_ids = result.envelope.get("dag_ids")
    return [str(dag_id) for dag_id in dag_ids] if isinstance(dag_ids, list) else []


def choose_dag(dag_ids: list[str], dag_id: str | None, file: str) -> str:
    """Return the DAG to trigger.

    :param dag_ids: those of the file
    :param dag_id: the one that the user names; None for the only one
    :param file: the file, for messages
    :raises UnusableError: if there is no such DAG, or not only one
    """
    if not dag_ids:
        raise UnusableError(f"{file} is deployed, but has no DAG to trigger")
    known = ", ".join(dag_ids)[:200]
    if dag_id is not None:
        if dag_id not in dag_ids:
            raise UnusableError(f"{file} is deployed, but has no DAG {dag_id[:80]!r}; its DAGs: {known}")
        return dag_id
    if len(dag_ids) != 1:
        again = command_line("trigger_dag", "DAG", "--wait")
        raise UnusableError(f"{file} is deployed; name the DAG to trigger ({known}): {again}")
    return dag_ids[0]


def print_step(step: str, text: str) -> None:
    """Print a line for a step that is done."""
    console.to_stdout(f"{step}: {one_line(text)}\n")


COMMANDS = {"deploy": deploy}
