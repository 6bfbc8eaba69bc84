"""The commands ``whoami``, ``can-i``, ``audit`` and ``token new``: who may do what, and who did.

They are called with a context whose object is the program's ``Invocation``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airflow_remote import entry, output
from airflow_remote.commands import canonical
from airflow_remote.exit_status import ExitStatus
from airflow_remote.job_commands import in_format, table
from airflow_remote.output import one_line
from airflow_remote.tree import ACCESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_remote.invocation import Invocation

RESULTS = ("done", "running", "failed", "refused", "invalid", "error")


@click.command(help=f"{ACCESS['whoami']}.")
@in_format
@click.pass_obj
def whoami(invocation: Invocation, form: str) -> None:
    """Write a table, or JSON as the server has it."""
    said = invocation.client().whoami()
    if form == "json" or invocation.as_json:
        output.document(said)
        return
    output.to_stdout(table([(name, _text(value)) for name, value in said.items()]))


@click.command(
    name="can-i",
    help=f"{ACCESS['can-i']}, perhaps on a DAG, as: can-i dags trigger my_dag. Nothing is run. "
    "The exit status is 0 for yes and 1 for no.",
)
@click.argument("words", nargs=-1, required=True, metavar="COMMAND... [DAG_ID]")
@click.pass_context
def can_i(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Write the answer in a line, or all of it as JSON."""
    invocation: Invocation = ctx.find_root().obj
    said = invocation.client().whoami(" ".join(words))
    answer = said["can"]
    if invocation.as_json:
        output.document(said)
    elif answer["allowed"]:
        output.to_stdout("yes\n")
    else:
        output.to_stdout(f"no: {one_line(str(answer.get('reason') or 'the server does not say why'))}\n")
    ctx.exit(ExitStatus.OK if answer["allowed"] else ExitStatus.FAILED)


@click.command(help=f"{ACCESS['audit']}, newest first. For an admin without restrictions.")
@click.option("--principal", metavar="NAME", help="Only of this one.")
@click.option("--peer", metavar="ADDRESS", help="Only from there.")
@click.option("--result", type=click.Choice(RESULTS), help="Only with this result.")
@click.option("--job", metavar="ID", help="Only of this job.")
@click.option("--command", metavar="TEXT", help="Only of this name, or with a command line that begins so.")
@click.option("--limit", type=click.IntRange(1), default=50, metavar="NUMBER", help="At most so many [50].")
@in_format
@click.pass_obj
def audit(invocation: Invocation, /, limit: int, form: str, **conditions: str | None) -> None:
    """Write a table, or JSON as the server has it."""
    entries = invocation.client().audit(limit=limit, **conditions)
    if form == "json" or invocation.as_json:
        output.document({"audit": entries})
        return
    rows = [("TIME", "WHO", "FROM", "RESULT", "STATUS", "SECONDS", "WHAT")]
    for found in entries:
        what = found.get("command") or found.get("name") or f"{found.get('method')} {found.get('path')}"
        why = found.get("message")
        rows.append(
            (
                _text(found.get("time"))[:19],
                _text(found.get("principal")) or "-",
                _text(found.get("peer")) or "-",
                _outcome(found),
                _text(found.get("status")),
                _text(found.get("seconds")),
                _text(what) + (f" ({_text(why)})" if why else ""),
            )
        )
    output.to_stdout(table(rows))


@click.group(
    name="token",
    no_args_is_help=False,
    help=f"{ACCESS['token']}.",
    context_settings={"token_normalize_func": canonical},
)
def token() -> None:
    """There is one thing to do with them here: they are known to the server's file alone."""


def _name(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if not entry.NAME.fullmatch(value):
        raise click.BadParameter("1 to 80 letters, digits or ._@-, beginning with a letter or a digit")
    return value


def _printable(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(value and value.isprintable() for value in values):
        raise click.BadParameter("a text without control characters")
    return values


def _moment(ctx: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else entry.moment(value)
    except (ValueError, OverflowError):
        raise click.BadParameter("a time as 2027-01-01T00:00:00Z, a day as 2027-01-01, or 90d") from None


@token.command(
    help="Make a token of 256 bits and print it, once: it is kept nowhere. Its entry for the server's "
    "tokens file ([rest_api_plugin] tokens_file) is printed to standard error."
)
@click.option("--name", required=True, callback=_name, metavar="NAME", help="Whose it is, for jobs and logs.")
@click.option(
    "--role", required=True, callback=_name, metavar="ROLE", help="viewer, operator, admin or the file's own."
)
@click.option(
    "--commands",
    multiple=True,
    callback=_printable,
    metavar="GLOB",
    help="Of the role's commands these only.",
)
@click.option("--dags", multiple=True, callback=_printable, metavar="GLOB", help="These DAGs only.")
@click.option("--expires", callback=_moment, metavar="TIME", help="When it ends: 2027-01-01, or 90d.")
@click.option(
    "--networks", multiple=True, callback=_printable, metavar="CIDR", help="From there only: 192.0.2.0/24."
)
def new(name: str, role: str, **more: Any) -> None:
    """Write both; the token alone goes to standard output, so that a program can take it."""
    made = entry.make_token()
    output.to_stdout(f"{made}\n")
    output.to_stderr(f"# For the server's tokens file:\n{entry.written(made, name, role, **more)}")


def _outcome(found: Mapping[str, Any]) -> str:
    """What came of a request; of one that went on, what has become of its job."""
    said = (found.get("state") or found.get("result"), found.get("layer"))
    return " ".join(filter(None, map(_text, said)))


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return "" if value is None else one_line(value if isinstance(value, str) else str(value))


COMMANDS = {"whoami": whoami, "can-i": can_i, "audit": audit, "token": token}
