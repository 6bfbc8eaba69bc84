"""Live commands and groups as click commands, made from the server's catalogue.

click shows the help and completes words; the command line behind a command's name is read by ``parsing``.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from airflow_remote.errors import NotTheApiError, UnsupportedNameError
from airflow_remote.output import one_line
from airflow_remote.showing import described, metavar, paragraphs, parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_remote.catalogue import Catalogue, Command
    from airflow_remote.invocation import Invocation
    from airflow_remote.known import Known


class LiveGroup(click.Group):
    """A group of live commands.

    :param known: the server's commands
    :param name: its full name
    :param word: how it was called
    :param classic: the command of Airflow 1.x with the same name, to be told of in the help
    """

    def __init__(self, known: Known, name: str, word: str, classic: click.Command | None = None) -> None:
        catalogue = known.cached()
        group = catalogue.groups.get(name) if catalogue is not None else None
        super().__init__(
            word, help=paragraphs(group.description or group.help) if group else "", no_args_is_help=False
        )
        self._known, self._full, self._classic = known, name, classic

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The words of its commands and groups, without hidden ones."""
        catalogue = self._known.cached()
        return [] if catalogue is None else visible(catalogue, self._full)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command or group of a word; None when there is none."""
        return made(self._known, cmd_name, self._full)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that a command line goes on with.

        :raises click.UsageError: naming the nearest
        :raises UnsupportedNameError: when it is known why this Airflow has none
        """
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            self._known.renewed()
            command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            catalogue = self._known.cached()
            if catalogue is not None:
                told_why(catalogue, [*self._full.split(" "), *args])
            known = [] if catalogue is None else [word_of(name) for name in catalogue.children(self._full)]
            raise unknown(ctx, args[0], known, catalogue)
        return args[0], command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write its commands, and the options of Airflow 1.x."""
        catalogue = self._known.cached()
        if catalogue is not None:
            write_commands(catalogue, self._full, formatter)
        if self._classic is not None:
            records = [record for param in self._classic.params if (record := param.get_help_record(ctx))]
            with formatter.section(f"As in Airflow 1.x, airflow-remote {self.name} with options only"):
                formatter.write_dl(records)


class LiveCommand(click.Command):
    """A live command.

    :param command: its entry in the catalogue
    :param word: how it was called
    """

    def __init__(self, command: Command, word: str) -> None:
        more = f"\n\nThe server refuses it: {command.refused}" if command.refused else ""
        super().__init__(
            word,
            help=paragraphs(command.description or command.help) + more,
            short_help=command.help,
            epilog=paragraphs(command.epilog) or None,
            params=[parameter(argument) for argument in command.arguments],
            hidden=command.hidden,
        )
        self.command = command
        self.given: dict[str, Any] = {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line as Airflow's own parser does.

        :raises click.UsageError: when it is wrong
        """
        from airflow_remote.parsing import HelpAsked, WrongLineError, parse

        ctx.args = args
        if ctx.resilient_parsing:
            return args
        try:
            self.given = parse(self.command, args)
        except HelpAsked:
            click.echo(ctx.get_help())
            ctx.exit()
        except WrongLineError as error:
            raise click.UsageError(
                f"{error.message}{nearest_option(error.message, self.command)}", ctx
            ) from None
        return []

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, and end with the status that gives."""
        invocation: Invocation = ctx.find_root().obj
        ctx.exit(invocation.live(self.command, self.given))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the positional arguments, which click leaves out, before the options."""
        rows = [(metavar(one), described(one)) for one in self.command.arguments if one.positional]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


def made(known: Known, word: str, group: str = "") -> click.Command | None:
    """The live command or group that a word means in a group; None when it means nothing.

    :raises NotTheApiError: when its entry cannot be understood
    """
    catalogue = known.cached()
    name = catalogue.find(word, group) if catalogue is not None else None
    if catalogue is None or name is None:
        return None
    if catalogue.is_group(name):
        return LiveGroup(known, name, word)
    try:
        return LiveCommand(catalogue.command(name), word)
    except ValueError as error:
        raise NotTheApiError(f"the server's entry for {name!r} cannot be understood: {error}") from None


def visible(catalogue: Catalogue, group: str = "") -> list[str]:
    """The words of what is directly in a group and is shown."""
    return [word_of(name) for name in catalogue.children(group) if not catalogue.is_hidden(name)]


def write_commands(catalogue: Catalogue, group: str, formatter: click.HelpFormatter) -> None:
    """Write the groups and commands of a group, as ``airflow --help`` does."""
    shown = [name for name in catalogue.children(group) if not catalogue.is_hidden(name)]
    for title, groups in (("Groups", True), ("Commands", False)):
        rows = [
            (word_of(name), " ".join(catalogue.help_of(name).split()))
            for name in shown
            if catalogue.is_group(name) is groups
        ]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def unknown(
    ctx: click.Context, word: str, names: Iterable[str], catalogue: Catalogue | None
) -> click.UsageError:
    """The error for a word that means nothing, which names the nearest that does."""
    by_spelling = {name.replace("-", "_"): name for name in names}
    close = get_close_matches(word.replace("-", "_")[:100], by_spelling, n=1)
    hint = f"; did you mean {by_spelling[close[0]]!r}?" if close else ""
    if catalogue is not None and catalogue.withheld:
        hint += "; or this token may not run it, see airflow-remote whoami"
    return click.UsageError(f"no such command: {word[:100]!r}{hint}", ctx)


def nearest_option(message: str, command: Command) -> str:
    """A hint at the option that was meant, behind argparse's message about one that there is not; else ""."""
    from airflow_remote.parsing import options

    _, unrecognized, words = message.partition("unrecognized arguments: ")
    wrong = next((word.partition("=")[0] for word in words.split() if word.startswith("--")), "")
    close = get_close_matches(wrong[:100].replace("_", "-"), options(command), n=1) if unrecognized else []
    return f"; did you mean {close[0]}?" if close else ""


def told_why(catalogue: Catalogue, line: Sequence[str]) -> None:
    """See whether it is known why this Airflow has no command of a name: another Airflow has, or had.

    :param line: the words behind the program
    :raises UnsupportedNameError: when it is
    """
    for length in (3, 2, 1):
        name = " ".join(line[:length])
        if name in catalogue.renamed:
            raise UnsupportedNameError(
                f"Airflow {catalogue.airflow} has no `{name}`; use {catalogue.renamed[name]}"
            )
    needed = catalogue.missing.get(line[0])
    if needed is not None:
        name = " ".join(line[:2] if not line[1:2] or not line[1].startswith("-") else line[:1])
        raise UnsupportedNameError(f"this Airflow has no `{one_line(name)}`: it needs {needed}")


def word_of(name: str) -> str:
    """The last word of a full name."""
    return name.rpartition(" ")[2]
