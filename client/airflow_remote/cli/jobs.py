"""The commands ``job list``, ``show``, ``output``, ``files`` and so on.

The object of their click context is the program's ``CliContext``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from airflow_remote.catalog.classic import normalize
from airflow_remote.cli import console
from airflow_remote.cli.console import one_line
from airflow_remote.cli.formats import format_cell, format_option, write_list, write_rows
from airflow_remote.cli.job_removal import delete, prune
from airflow_remote.cli.own_commands import JOB_SUMMARY
from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from airflow_remote.cli.context import CliContext
    from airflow_remote.client import Job
    from airflow_remote.models import Result

STATES = ("queued", "running", "succeeded", "failed", "stopped", "timed_out", "lost")
COLUMNS = ("id", "state", "exit_code", "created", "seconds", "command")

job_id_argument = click.argument("job_id", metavar="ID")


@click.group(
    name="job",
    no_args_is_help=False,
    help=f"{JOB_SUMMARY}.",
    context_settings={"token_normalize_func": normalize},
)
@click.pass_obj
def job(context: CliContext) -> None:
    """Reject --detach, which job commands do not support."""
    if context.detach:
        raise click.UsageError("--detach is only for commands that run on the server")


@job.command("list", help="List jobs, newest first.")
@click.option(
    "--state",
    multiple=True,
    type=click.Choice(STATES),
    help="Only jobs in this state; can be given several times.",
)
@click.option(
    "--command",
    metavar="TEXT",
    help="Only jobs with this name or command-line prefix; * stands for any text.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=50, metavar="NUMBER", help="Maximum number of jobs [50]."
)
@format_option
@click.pass_obj
def list_jobs(
    context: CliContext, state: tuple[str, ...], command: str | None, limit: int, output_format: str
) -> None:
    """Print a table, or JSON as returned by the server."""
    jobs = context.client().iter_jobs(state=state, command=command, limit=limit)
    head = tuple(name.upper().replace("_", " ") for name in COLUMNS)
    write_list("jobs", jobs, (head, _row), output_format == "json" or context.as_json)


@job.command(help="Show a job's details.")
@job_id_argument
@format_option
@click.pass_obj
def show(context: CliContext, job_id: str, output_format: str) -> None:
    """Print a table, or JSON."""
    document = context.client().job(job_id).document
    rows = [(name, format_cell(value)) for name, value in document.items()]
    write_rows(document, rows, output_format == "json" or context.as_json)


@job.command(
    "output",
    short_help="Print a job's output, byte for byte.",
    help="Print a job's output, byte for byte: its standard output to standard output, and its standard "
    "error, where services log, to standard error.",
)
@job_id_argument
@click.option(
    "--stream",
    type=click.Choice(["stdout", "stderr"]),
    help="Print this stream only, to standard output.",
)
@click.option(
    "-f", "--follow", is_flag=True, help="Follow the output until the job ends. Ctrl-C does not stop the job."
)
@click.pass_obj
def show_output(context: CliContext, job_id: str, stream: str | None, follow: bool) -> None:
    """Print both streams as a local command would, or one of them to standard output."""
    context.watched = job_id
    for name, data in context.client().job(job_id).tail(stream, follow):
        console.data(data, to_stderr=stream is None and name == "stderr")


@job.command(
    short_help="Print a job's output until it ends, and exit with its exit code.",
    help="Print a job's output from the beginning until it ends, and exit with its exit code. "
    "Ctrl-C does not stop the job.",
)
@job_id_argument
@click.pass_context
def wait(ctx: click.Context, job_id: str) -> None:
    """Show the job as if its command had been run now."""
    from airflow_remote.cli.runner import CommandRunner

    context: CliContext = ctx.find_root().obj
    context.watched = job_id

    def announce_files(result: Result) -> None:
        if result.files:
            context.notify(f"the job wrote {len(result.files)} file(s): airflow-remote job download {job_id}")

    ctx.exit(CommandRunner(context).run_and_show(context.client().job(job_id).wait, finish=announce_files))


@job.command("files", help="List the files that a job wrote.")
@job_id_argument
@format_option
@click.pass_obj
def list_files(context: CliContext, job_id: str, output_format: str) -> None:
    """Print a table, or JSON."""
    files = context.client().job(job_id).files()
    rows = [("SIZE", "NAME"), *((str(file.size), file.name) for file in files)]
    document = {"files": [file._asdict() for file in files]}
    write_rows(document, rows, output_format == "json" or context.as_json)


@job.command(
    short_help="Download the files that a job wrote.",
    help="Download the files that a job wrote, and print their names.",
)
@job_id_argument
@click.option(
    "--to", "folder", default=".", metavar="DIR", help="Destination directory, created if needed [.]."
)
@click.pass_obj
def download(context: CliContext, job_id: str, folder: str) -> None:
    """Download all files."""
    from pathlib import Path

    from airflow_remote.cli.downloads import check_folder, fetch_into

    check_folder(Path(folder))
    source = context.client().job(job_id)
    files = source.files()
    fetch_into(Path(folder), files, source.fetch)
    console.to_stdout("".join(f"{file.name}\n" for file in files))


@job.command(
    short_help="Stop a job.",
    help="Stop a job, and print its state. A command may take a moment to end. A service ends when its "
    "running tasks have finished, or is killed after the server's service_stop_grace.",
)
@job_id_argument
@click.option("--force", is_flag=True, help="Kill the job and all it runs at once.")
@click.pass_context
def stop(ctx: click.Context, job_id: str, force: bool) -> None:
    """Request the stop without waiting for the end."""
    context: CliContext = ctx.find_root().obj
    stopped = context.client().job(job_id).stop(force)
    if context.as_json:
        console.document(stopped.document)
    else:
        state = stopped.state if stopped.ended else stopped.stopping or "stopping"
        console.to_stdout(f"{one_line(state)}\n")
    ctx.exit(ExitStatus.OK)


job.add_command(delete)
job.add_command(prune)


def _row(job: Job) -> tuple[str, ...]:
    document = job.document
    seconds = _seconds(document.get("started"), document.get("ended"))
    line = document.get("airflow_cmd") or document.get("name")
    created = str(document.get("created") or "")[:19]
    state = "stopping" if job.stopping else "restarting" if job.restarting else job.state
    return tuple(format_cell(value) for value in (job.id, state, job.exit_code, created, seconds, line))


def _seconds(started: Any, ended: Any) -> str:
    """Return the duration in seconds; "" if it is unknown."""
    try:
        return f"{(datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds():.1f}"
    except (TypeError, ValueError):
        return ""


COMMANDS = {"job": job}
