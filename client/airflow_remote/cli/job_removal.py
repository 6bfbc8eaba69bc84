"""The commands ``job delete`` and ``job prune``."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING

import click

from airflow_remote.catalog.classic import normalize
from airflow_remote.cli import console
from airflow_remote.cli.confirmation import DeclinedError, has_terminal
from airflow_remote.errors import AnsweredError
from airflow_remote.models import ACTIVE_STATES

if TYPE_CHECKING:
    from airflow_remote.cli.context import CliContext
    from airflow_remote.client import Job

ENDED = ("succeeded", "failed", "stopped", "timed_out", "lost")
AGE = re.compile(r"([0-9]{1,6})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
NOT_FOUND = 404


def _age(ctx: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    """Parse an age such as ``7d``."""
    if value is None:
        return None
    match = AGE.fullmatch(value)
    if match is None:
        raise click.BadParameter("use a number of minutes, hours or days, such as 30m, 12h or 7d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


@click.command(
    short_help="Delete jobs that have ended.",
    help="Delete jobs that have ended, with their output and files. This needs an admin's token.",
    context_settings={"token_normalize_func": normalize},
)
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def delete(context: CliContext, job_ids: tuple[str, ...]) -> None:
    """Print the id of each deleted job."""
    client = context.client()
    for job_id in job_ids:
        client.job(job_id).delete()
        console.to_stdout(f"{job_id}\n")


@click.command(
    short_help="Delete old jobs.",
    help="Delete jobs that have ended and are old, with their output and files. This needs an admin's token.",
    context_settings={"token_normalize_func": normalize},
)
@click.option(
    "--older-than",
    callback=_age,
    metavar="AGE",
    help="Only jobs that ended longer ago, such as 30m, 12h or 7d.",
)
@click.option(
    "--keep", type=click.IntRange(0), metavar="NUMBER", help="Keep this number of the newest ended jobs."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def prune(context: CliContext, older_than: timedelta | None, keep: int | None, yes: bool) -> None:
    """Print the id of each deleted job."""
    if older_than is None and keep is None:
        raise click.UsageError("give --older-than, --keep, or both")
    if not yes and not has_terminal():
        raise click.UsageError("job prune asks for confirmation: pass --yes")
    client = context.client()
    before = None if older_than is None else datetime.now(timezone.utc) - older_than
    # Only the ids are kept in memory.
    job_ids = [
        job.id
        for job in islice(client.iter_jobs(state=ENDED), keep or 0, None)
        if before is None or _ended_before(job, before)
    ]
    if not job_ids:
        context.notify("no job to delete")
        return
    if not yes:
        _confirm(len(job_ids))
    for job_id in job_ids:
        try:
            client.delete_job(job_id)
        except AnsweredError as error:
            if error.result.http_status != NOT_FOUND:  # otherwise, it has been deleted in the meantime
                raise
        console.to_stdout(f"{job_id}\n")


def _ended_before(job: Job, moment: datetime) -> bool:
    """Return whether a job is known to have ended before a moment."""
    try:
        ended = datetime.fromisoformat(str(job.document.get("ended")))
        return job.state not in ACTIVE_STATES and ended < moment
    except (TypeError, ValueError):
        return False


def _confirm(count: int) -> None:
    """Ask whether to delete.

    :raises DeclinedError: if the user declines
    """
    console.to_stderr(f"Delete {count} job{'s' if count > 1 else ''} with the output? [y/N] ")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        console.to_stderr("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise DeclinedError("not confirmed; nothing was deleted")
