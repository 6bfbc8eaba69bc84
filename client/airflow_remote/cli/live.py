"""Click commands and groups for the live commands, built from the server's catalog.

click shows help and completes words; ``parser`` parses the command line of a live command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airflow_remote.cli.console import one_line
from airflow_remote.cli.help_formatter import (
    DocumentedCommand,
    build_parameter,
    describe,
    keep_line_breaks,
    metavar_of,
)
from airflow_remote.cli.wait_options import new_run_id, take_waiting, with_wait_options
from airflow_remote.errors import NotTheApiError, UnsupportedNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_remote.catalog.models import Catalog, Command
    from airflow_remote.catalog.provider import CatalogProvider
    from airflow_remote.cli.context import CliContext
    from airflow_remote.cli.wait_options import Waiting


class LiveGroup(click.Group):
    """A group of live commands.

    :param provider: loads the server's catalog
    :param name: the full name
    :param word: the name on the command line
    :param classic: the classic command with the same name, to be mentioned in the help
    """

    def __init__(
        self, provider: CatalogProvider, name: str, word: str, classic: click.Command | None = None
    ) -> None:
        catalog = provider.load_cached()
        group = catalog.groups.get(name) if catalog is not None else None
        super().__init__(
            word,
            help=keep_line_breaks(group.description or group.help) if group else "",
            no_args_is_help=False,
        )
        self._provider, self._full, self._classic = provider, name, classic

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of its visible commands and groups."""
        catalog = self._provider.load_cached()
        return [] if catalog is None else visible_words(catalog, self._full)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command or group; None if there is none."""
        return build_command(self._provider, cmd_name, self._full)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the command line continues with.

        :raises click.UsageError: if there is none; it names the closest one
        :raises UnsupportedNameError: if the catalog says why this Airflow has none
        """
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            self._provider.reload()
            command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            catalog = self._provider.load_cached()
            if catalog is not None:
                explain_missing(catalog, [*self._full.split(" "), *args])
            known = [] if catalog is None else [word_of(name) for name in catalog.children(self._full)]
            raise unknown_command(ctx, args[0], known, catalog)
        return args[0], command or nothing_to_complete(args[0]), args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, and the options of the classic command."""
        catalog = self._provider.load_cached()
        if catalog is not None:
            write_commands(catalog, self._full, formatter)
        if self._classic is not None:
            records = [record for param in self._classic.params if (record := param.get_help_record(ctx))]
            with formatter.section(f"As in Airflow 1.x, airflow-remote {self.name} with options only"):
                formatter.write_dl(records)


class LiveCommand(DocumentedCommand):
    """A live command.

    :param command: its entry in the catalog
    :param word: the name on the command line
    """

    def __init__(self, command: Command, word: str) -> None:
        more = f"\n\nThe server does not allow this command: {command.refused}" if command.refused else ""
        super().__init__(
            word,
            help=keep_line_breaks(command.description or command.help) + more,
            short_help=command.help,
            epilog=keep_line_breaks(command.epilog) or None,
            params=[build_parameter(argument) for argument in with_wait_options(command).arguments],
            hidden=command.hidden,
        )
        self.command = command
        positional = [argument for argument in command.arguments if argument.positional]
        self.argument_help = [(metavar_of(argument), describe(argument)) for argument in positional]
        self.values: dict[str, Any] = {}
        self.line: list[str] = []
        self.waiting: Waiting | None = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line as Airflow does.

        :raises click.UsageError: if it is invalid
        """
        from airflow_remote.cli.parser import CommandLineError, HelpRequested, parse

        ctx.args = args
        if ctx.resilient_parsing:
            return args
        self.line = list(args)
        command = with_wait_options(self.command)
        context: CliContext | None = ctx.find_root().obj
        try:
            try:
                self.values = parse(self.command, args)
            except CommandLineError:  # abbreviations of Airflow's own options come first
                if command is self.command:
                    raise
                self.values = parse(command, args)
        except HelpRequested:
            click.echo(ctx.get_help())
            ctx.exit()
        except CommandLineError as error:
            raise click.UsageError(f"{error.message}{nearest_option(error.message, command)}", ctx) from None
        try:
            self.waiting = take_waiting(self.values, context is not None and context.detach)
        except ValueError as error:
            raise click.UsageError(str(error), ctx) from None
        return []

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and exit with its status."""
        from airflow_remote.cli.runner import CommandRunner

        context: CliContext = ctx.find_root().obj
        runner = CommandRunner(context)
        if self.waiting is not None:
            self.values.setdefault("run_id", new_run_id())
        status = runner.run_live(self.command, self.values, self.line)
        if self.waiting is not None and runner.result is not None:
            dag_id, run_id = (str(self.values[name]) for name in ("dag_id", "run_id"))
            status = self.waiting.follow(context, runner.result, dag_id, run_id)
        ctx.exit(status)


def build_command(provider: CatalogProvider, word: str, group: str = "") -> click.Command | None:
    """Build the live command or group for a word; return None if there is none.

    :raises NotTheApiError: if its entry is invalid
    """
    catalog = provider.load_cached()
    name = catalog.find(word, group) if catalog is not None else None
    if catalog is None or name is None:
        return None
    if catalog.is_group(name):
        return LiveGroup(provider, name, word)
    try:
        return LiveCommand(catalog.command(name), word)
    except ValueError as error:
        raise NotTheApiError(f"the server's entry for {name!r} is invalid: {error}") from None


def nothing_to_complete(word: str) -> click.Command:
    """Return the command for an unknown name in completion; without one, click would complete the group."""
    return click.Command(word, add_help_option=False)


def visible_words(catalog: Catalog, group: str = "") -> list[str]:
    """Return the names of a group's visible members."""
    return [word_of(name) for name in catalog.children(group) if not catalog.is_hidden(name)]


def write_commands(catalog: Catalog, group: str, formatter: click.HelpFormatter) -> None:
    """Write the groups and commands of a group as ``airflow --help`` does."""
    shown = [name for name in catalog.children(group) if not catalog.is_hidden(name)]
    for title, groups in (("Groups", True), ("Commands", False)):
        rows = [
            (word_of(name), " ".join(catalog.help_of(name).split()))
            for name in shown
            if catalog.is_group(name) is groups
        ]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def unknown_command(
    ctx: click.Context, word: str, names: Iterable[str], catalog: Catalog | None
) -> click.UsageError:
    """Return the error for an unknown word, with the closest known one."""
    from difflib import get_close_matches

    by_spelling = {name.replace("-", "_"): name for name in names}
    close = get_close_matches(word.replace("-", "_")[:100], by_spelling, n=1)
    hint = f"; did you mean {by_spelling[close[0]]!r}?" if close else ""
    if catalog is not None and catalog.withheld:
        hint += "; or this token may not run it: see airflow-remote whoami"
    return click.UsageError(f"no such command: {word[:100]!r}{hint}", ctx)


def nearest_option(message: str, command: Command) -> str:
    """Return a hint at the closest option for an "unrecognized arguments" message of argparse; else ""."""
    from difflib import get_close_matches

    from airflow_remote.cli.parser import option_names

    _, unrecognized, words = message.partition("unrecognized arguments: ")
    wrong = next((word.partition("=")[0] for word in words.split() if word.startswith("--")), "")
    close = (
        get_close_matches(wrong[:100].replace("_", "-"), option_names(command), n=1) if unrecognized else []
    )
    return f"; did you mean {close[0]}?" if close else ""


def explain_missing(catalog: Catalog, line: Sequence[str]) -> None:
    """Raise an error if the catalog says why this Airflow lacks a command.

    :param line: the words after the program name
    :raises UnsupportedNameError: if it does
    """
    for length in (3, 2, 1):
        name = " ".join(line[:length])
        if name in catalog.renamed:
            raise UnsupportedNameError(
                f"Airflow {catalog.airflow} has no `{name}`; use {catalog.renamed[name]}"
            )
    needed = catalog.missing.get(line[0])
    if needed is not None:
        name = " ".join(line[:2] if not line[1:2] or not line[1].startswith("-") else line[:1])
        raise UnsupportedNameError(f"this Airflow has no `{one_line(name)}`: it needs {needed}")


def word_of(name: str) -> str:
    """Return the last word of a full name."""
    return name.rpartition(" ")[2]
