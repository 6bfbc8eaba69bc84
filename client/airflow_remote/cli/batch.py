"""The command ``batch``: run the commands of a file in one request.

The object of its click context is the program's ``CliContext``.
"""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from airflow_remote.cli import console
from airflow_remote.cli.console import one_line
from airflow_remote.cli.context import exit_status_for
from airflow_remote.cli.formats import format_option
from airflow_remote.cli.own_commands import BATCH, BATCH_SUMMARY
from airflow_remote.errors import CommandFailedError, LocalFileError, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_remote.catalog.models import Catalog, Command
    from airflow_remote.cli.context import CliContext
    from airflow_remote.client import Job
    from airflow_remote.models import Result

MAX_FILE_BYTES = 1 << 28
PROGRAMS = ("airflow", console.PROGRAM)
"""Words that a command line may begin with."""


@click.command(
    BATCH,
    help=f"{BATCH_SUMMARY}, as one job. FILE has one command a line, and - is standard input.\n\n"
    "A line is a command line such as `dags pause my_dag`, or JSON such as "
    '{"command": "dags pause", "arguments": {"dag_id": "my_dag"}}. Empty lines, and lines that begin with #, '
    "are skipped.\n\n"
    "The server runs none of the commands if one is invalid or not permitted. The exit status is 0 if "
    "all of them succeeded.",
)
@click.argument("file", type=click.Path(allow_dash=True), metavar="FILE")
@click.option(
    "--parallel",
    type=click.IntRange(1),
    default=1,
    metavar="NUMBER",
    help="How many commands may run at once [1]; with more than one, their order is not kept.",
)
@click.option("--stop-on-failure", is_flag=True, help="Begin no command after one has failed.")
@format_option
@click.pass_context
def batch(ctx: click.Context, file: str, parallel: int, stop_on_failure: bool, output_format: str) -> None:
    """Print each result as it ends: the output of the command, or a line of JSON."""
    context: CliContext = ctx.find_root().obj
    commands = list(parse_lines(read_lines(file), context))
    client, as_json = context.client(), output_format == "json" or context.as_json
    context.sent = True
    if context.detach:
        job = client.submit_batch(commands, parallel=parallel, stop_on_failure=stop_on_failure)
        console.to_stdout(f"{job.id}\n")
        return
    ends: list[Result] = []

    def note_job(job: Job) -> None:
        context.job = job  # Ctrl-C stops it

    results = client.batch(
        commands,
        parallel=parallel,
        stop_on_failure=stop_on_failure,
        on_start=note_job,
        on_end=ends.append,
    )
    for result in results:
        show(result, as_json, context)
    if not ends or ends[0].ok:
        return
    if as_json:
        ctx.exit(exit_status_for(CommandFailedError(ends[0].output, ends[0])))
    raise CommandFailedError(ends[0].output, ends[0])


def show(result: Result, as_json: bool, context: CliContext) -> None:
    """Print the result of a command.

    :param as_json: whether to print a line of JSON
    """
    if as_json:
        console.to_stdout(json.dumps(result.envelope, ensure_ascii=False) + "\n")
        return
    console.to_stdout(result.stdout or "")
    console.to_stderr(result.stderr or "")
    what = f"commands[{result.index}] ({one_line(str(result.envelope.get('airflow_cmd', '')))})"
    if not result.ok:
        context.notify(f"{what} failed: {one_line(result.output)}")
    elif result.warning:
        context.notify(f"{what}: warning: {one_line(result.warning)}")


def read_lines(file: str) -> list[str]:
    """Return the lines of a file.

    :param file: its path; - for standard input
    :raises LocalFileError: if it cannot be read, is too large, or is not UTF-8
    """
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with open(file, "rb") as source:  # noqa: PTH123 - like every path on the command line
                data = source.read(MAX_FILE_BYTES + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LocalFileError(f"{file} is not UTF-8") from None
    except OSError as error:
        raise LocalFileError(f"cannot read {file}: {error.strerror or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise LocalFileError(f"{file} is over {MAX_FILE_BYTES} bytes")
    return text.split("\n")


def parse_lines(lines: Iterable[str], context: CliContext) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the arguments of each command.

    :param lines: command lines, or JSON
    :param context: loads the server's catalog if there are command lines
    :raises UnusableError: if a line is invalid; the message has its number
    :raises RemoteError: if the catalog cannot be loaded
    """
    empty = True
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        empty = False
        try:
            if text.startswith("{"):
                yield parse_json(text)
            else:
                yield parse_command_line(text, load_catalog(context))
        except ValueError as error:
            raise UnusableError(f"line {number}: {error}") from None
    if empty:
        raise UnusableError("there are no commands in the file")


def load_catalog(context: CliContext) -> Catalog:
    """Return the server's catalog.

    :raises RemoteError: if it cannot be loaded
    """
    provider = context.catalog_provider
    catalog = provider.load()
    if catalog is None:
        raise provider.failure or UnusableError("the commands of the server could not be loaded")
    return catalog


def parse_json(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments in a line of JSON.

    :raises ValueError: if it is invalid
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON: {error}") from None
    name, arguments = document.pop("command", None), document.pop("arguments", None)
    if not isinstance(name, str) or not isinstance(arguments, (dict, type(None))) or document:
        raise ValueError('must be {"command": "NAME", "arguments": {...}}')
    return name, arguments or {}


def parse_command_line(text: str, catalog: Catalog) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of a command line.

    :param text: the command line
    :param catalog: the server's commands
    :raises ValueError: if it is invalid
    """
    from airflow_remote.cli.parser import CommandLineError, HelpRequested, Secret, parse

    words = shlex.split(text)
    if words[:1] and words[0] in PROGRAMS:
        del words[0]
    command, rest = find_command(words, catalog)
    try:
        values = parse(command, rest)
    except CommandLineError as error:
        raise ValueError(error.message) from None
    except HelpRequested:
        raise ValueError(f"`{command.name}` asks for help only") from None
    if any(value is Secret.PROMPT for value in values.values()):
        raise ValueError("give the value of each option: a batch asks nothing")
    return command.name, values


def find_command(words: list[str], catalog: Catalog) -> tuple[Command, list[str]]:
    """Return the command that a command line begins with, and the words after it.

    :raises ValueError: if there is none
    """
    group = ""
    for position, word in enumerate(words, 1):
        name = catalog.find(word, group)
        if name is None:
            break
        if not catalog.is_group(name):
            return catalog.command(name), words[position:]
        group = name
    shown = " ".join(words)[:100]
    raise ValueError(f"the server's Airflow has no command {shown!r}; write classic commands as JSON")


COMMANDS = {BATCH: batch}
