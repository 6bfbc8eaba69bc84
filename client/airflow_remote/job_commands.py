"""The commands ``job list``, ``show``, ``output``, ``files`` and so on: what the server runs or has run.

They are called with a context whose object is the program's ``Invocation``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from airflow_remote import output
from airflow_remote.commands import canonical
from airflow_remote.exit_status import ExitStatus
from airflow_remote.output import one_line
from airflow_remote.tree import JOB_SUMMARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote.client import Job
    from airflow_remote.invocation import Invocation
    from airflow_remote.result import Result

STATES = ("queued", "running", "succeeded", "failed", "stopped", "timed_out", "lost")
COLUMNS = ("id", "state", "exit_code", "created", "seconds", "command")

given_id = click.argument("job_id", metavar="ID")
in_format = click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="How it is printed [table].",
)


@click.group(
    name="job",
    no_args_is_help=False,
    help=f"{JOB_SUMMARY}.",
    context_settings={"token_normalize_func": canonical},
)
@click.pass_obj
def job(invocation: Invocation) -> None:
    """See that there is nothing to detach from."""
    if invocation.detach:
        raise click.UsageError("--detach goes with a command that is run on the server")


@job.command("list", help="List jobs, newest first.")
@click.option(
    "--state",
    multiple=True,
    type=click.Choice(STATES),
    help="Only in this state; can be given several times.",
)
@click.option(
    "--command",
    metavar="TEXT",
    help="Only of this name, or with a command line that begins so; * stands for any text.",
)
@click.option("--limit", type=click.IntRange(1), default=50, metavar="NUMBER", help="At most so many [50].")
@in_format
@click.pass_obj
def list_jobs(
    invocation: Invocation, state: tuple[str, ...], command: str | None, limit: int, form: str
) -> None:
    """Write a table, or JSON as the server has it."""
    jobs = invocation.client().jobs(state=state, command=command, limit=limit)
    if form == "json" or invocation.as_json:
        output.document({"jobs": [job.document for job in jobs]})
        return
    rows = [COLUMNS, *(_row(job) for job in jobs)]
    output.to_stdout(table([tuple(name.upper().replace("_", " ") for name in COLUMNS), *rows[1:]]))


@job.command(help="Show all that is known of a job.")
@given_id
@in_format
@click.pass_obj
def show(invocation: Invocation, job_id: str, form: str) -> None:
    """Write it as a table, or as JSON."""
    document = invocation.client().job(job_id).document
    if form == "json" or invocation.as_json:
        output.document(document)
        return
    output.to_stdout(table([(name, _text(value)) for name, value in document.items()]))


@job.command("output", help="Print what a job has printed, byte for byte.")
@given_id
@click.option("--stream", type=click.Choice(["stdout", "stderr"]), default="stdout", help="Which [stdout].")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends. Ctrl-C does not end the job.")
@click.pass_obj
def show_output(invocation: Invocation, job_id: str, stream: str, follow: bool) -> None:
    """Write it to standard output, whichever stream it is."""
    invocation.watched = job_id
    for data in invocation.client().job(job_id).output(stream, follow):
        output.data(data)


@job.command(
    short_help="Print what a job prints until it ends, and end with its exit code.",
    help="Print what a job prints, from its beginning, until it ends; and end with its exit code. "
    "Ctrl-C does not end the job.",
)
@given_id
@click.pass_context
def wait(ctx: click.Context, job_id: str) -> None:
    """Do as if the job were a command that has been run just now."""
    invocation: Invocation = ctx.find_root().obj
    invocation.watched = job_id

    def tell(result: Result) -> None:
        if result.files:
            invocation.say(
                f"it has written {len(result.files)} file(s): airflow-remote job download {job_id}"
            )

    ctx.exit(invocation.shown(invocation.client().job(job_id).wait, finish=tell))


@job.command("files", help="List the files that a job has written.")
@given_id
@in_format
@click.pass_obj
def list_files(invocation: Invocation, job_id: str, form: str) -> None:
    """Write a table, or JSON."""
    found = invocation.client().job(job_id).files()
    if form == "json" or invocation.as_json:
        output.document({"files": [file._asdict() for file in found]})
        return
    output.to_stdout(table([("SIZE", "NAME"), *((str(file.size), file.name) for file in found)]))


@job.command(
    short_help="Fetch the files that a job has written.",
    help="Fetch the files that a job has written, and print their names.",
)
@given_id
@click.option("--to", "folder", default=".", metavar="DIR", help="Where to; made when it is not there [.].")
@click.pass_obj
def download(invocation: Invocation, job_id: str, folder: str) -> None:
    """Fetch all of them."""
    from pathlib import Path

    from airflow_remote.arrivals import check_folder, into

    check_folder(Path(folder))
    found = invocation.client().job(job_id)
    files = found.files()
    into(Path(folder), files, found.fetch)
    output.to_stdout("".join(f"{file.name}\n" for file in files))


@job.command(
    short_help="Ask for a job's end.",
    help="Ask for a job's end, and print its state; it may take a moment to end.",
)
@given_id
@click.option("--force", is_flag=True, help="Kill it at once, without time to clean up.")
@click.pass_context
def stop(ctx: click.Context, job_id: str, force: bool) -> None:
    """Have it stopped, without waiting for it."""
    invocation: Invocation = ctx.find_root().obj
    stopped = invocation.client().job(job_id).stop(force)
    if invocation.as_json:
        output.document(stopped.document)
    else:
        output.to_stdout(f"{one_line(stopped.state)}\n" if stopped.ended else "stopping\n")
    ctx.exit(ExitStatus.OK)


def _row(job: Job) -> tuple[str, ...]:
    said = job.document
    seconds = _seconds(said.get("started"), said.get("ended"))
    line = said.get("airflow_cmd") or said.get("name")
    return tuple(
        _text(value)
        for value in (job.id, job.state, job.exit_code, str(said.get("created") or "")[:19], seconds, line)
    )


def _seconds(started: Any, ended: Any) -> str:
    """How long it ran; "" when that is not known."""
    try:
        return f"{(datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds():.1f}"
    except (TypeError, ValueError):
        return ""


def _text(value: Any) -> str:
    return "" if value is None else one_line(value if isinstance(value, str) else str(value))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in columns, of which the last is as wide as it likes."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)
