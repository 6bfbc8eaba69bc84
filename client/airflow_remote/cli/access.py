"""The commands ``whoami``, ``can-i``, ``audit`` and ``token new``.

The object of their click context is the program's ``CliContext``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airflow_remote.catalog.classic import normalize
from airflow_remote.cli import console, token_entry
from airflow_remote.cli.console import one_line
from airflow_remote.cli.formats import format_cell, format_option, write_list, write_rows
from airflow_remote.cli.own_commands import ACCESS
from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_remote.cli.context import CliContext

AUDIT_COLUMNS = ("TIME", "WHO", "FROM", "RESULT", "STATUS", "SECONDS", "WHAT")
RESULTS = ("done", "running", "failed", "refused", "invalid", "error")


@click.command(help=f"{ACCESS['whoami']}.")
@format_option
@click.pass_obj
def whoami(context: CliContext, output_format: str) -> None:
    """Print a table, or JSON as returned by the server."""
    identity = context.client().whoami()
    rows = [(name, _format(value)) for name, value in identity.items()]
    write_rows(identity, rows, output_format == "json" or context.as_json)


@click.command(
    name="can-i",
    help=f"{ACCESS['can-i']}, optionally for a DAG, as in: can-i dags trigger my_dag. Nothing is run. "
    "The exit status is 0 for yes and 1 for no.",
)
@click.argument("words", nargs=-1, required=True, metavar="COMMAND... [DAG_ID]")
@click.pass_context
def can_i(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Print the decision in one line, or the full response as JSON."""
    context: CliContext = ctx.find_root().obj
    identity = context.client().whoami(" ".join(words))
    permission = identity["can"]
    if context.as_json:
        console.document(identity)
    elif permission["allowed"]:
        console.to_stdout("yes\n")
    else:
        reason = permission.get("reason") or "the server gave no reason; see airflow-remote whoami"
        console.to_stdout(f"no: {one_line(str(reason))}\n")
    ctx.exit(ExitStatus.OK if permission["allowed"] else ExitStatus.FAILED)


@click.command(help=f"{ACCESS['audit']}, newest first. For an admin without restrictions.")
@click.option("--principal", metavar="NAME", help="Only entries of this principal.")
@click.option("--peer", metavar="ADDRESS", help="Only entries from this address.")
@click.option("--result", type=click.Choice(RESULTS), help="Only entries with this result.")
@click.option("--job", metavar="ID", help="Only entries of this job.")
@click.option("--command", metavar="TEXT", help="Only entries with this command name or command-line prefix.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, metavar="NUMBER", help="Maximum number of entries [50]."
)
@format_option
@click.pass_obj
def audit(context: CliContext, /, limit: int, output_format: str, **conditions: str | None) -> None:
    """Print a table, or JSON as returned by the server."""
    entries = context.client().iter_audit(limit=limit, **conditions)
    write_list("audit", entries, (AUDIT_COLUMNS, _audit_row), output_format == "json" or context.as_json)


@click.group(
    name="token",
    no_args_is_help=False,
    help=f"{ACCESS['token']}.",
    context_settings={"token_normalize_func": normalize},
)
def token() -> None:
    """Group the commands for tokens; nothing is sent to the server."""


def _name(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if not token_entry.NAME.fullmatch(value):
        raise click.BadParameter("use 1 to 80 letters, digits or ._@-, starting with a letter or digit")
    return value


def _printable(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(value and value.isprintable() for value in values):
        raise click.BadParameter("use a text without control characters")
    return values


def _expiry(ctx: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else token_entry.parse_expiry(value)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            "use a time like 2027-01-01T00:00:00Z, a date like 2027-01-01, or 90d"
        ) from None


@token.command(
    help="Create a 256-bit token and print it once; it is not stored. Its entry for the server's tokens file "
    "([rest_api_plugin] tokens_file) is printed to standard error."
)
@click.option(
    "--name",
    required=True,
    callback=_name,
    metavar="NAME",
    help="Owner of the token, shown with jobs and in logs.",
)
@click.option(
    "--role",
    required=True,
    callback=_name,
    metavar="ROLE",
    help="viewer, operator, admin, or a role of the tokens file.",
)
@click.option(
    "--commands",
    multiple=True,
    callback=_printable,
    metavar="GLOB",
    help="Only these of the role's commands.",
)
@click.option("--dags", multiple=True, callback=_printable, metavar="GLOB", help="Only these DAGs.")
@click.option("--expires", callback=_expiry, metavar="TIME", help="Expiry: 2027-01-01, or 90d from now.")
@click.option(
    "--networks",
    multiple=True,
    callback=_printable,
    metavar="CIDR",
    help="Only from these networks, such as 192.0.2.0/24.",
)
def new(name: str, role: str, **more: Any) -> None:
    """Print the token to standard output, for programs, and its entry to standard error."""
    secret = token_entry.make_token()
    console.to_stdout(f"{secret}\n")
    console.to_stderr(
        f"# For the server's tokens file:\n{token_entry.format_entry(secret, name, role, **more)}"
    )


def _audit_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    action = entry.get("command") or entry.get("name") or f"{entry.get('method')} {entry.get('path')}"
    message = entry.get("message")
    return (
        _format(entry.get("time"))[:19],
        _format(entry.get("principal")) or "-",
        _format(entry.get("peer")) or "-",
        _outcome(entry),
        _format(entry.get("status")),
        _format(entry.get("seconds")),
        _format(action) + (f" ({_format(message)})" if message else ""),
    )


def _outcome(entry: Mapping[str, Any]) -> str:
    """Return the result of a request; for a request that created a job, the state of the job."""
    parts = (entry.get("state") or entry.get("result"), entry.get("layer"))
    return " ".join(filter(None, map(_format, parts)))


def _format(value: Any) -> str:
    return format_cell(", ".join(map(str, value)) if isinstance(value, list) else value)


COMMANDS = {"whoami": whoami, "can-i": can_i, "audit": audit, "token": token}
