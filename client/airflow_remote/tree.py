"""What a name on the command line means: a live command of the server's Airflow, a classic one, or our own.

Some names are two commands: ``variables list`` is live, ``variables --set k v`` is classic. Which is meant is
decided by what follows. Where no catalogue is needed for that, none is read; and without one, the classic
commands are all there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from airflow_remote import commands
from airflow_remote.commands import Classic, canonical
from airflow_remote.errors import NotTheApiError, UnsupportedError
from airflow_remote.live import LiveCommand, LiveGroup, made, told_why, unknown, visible, write_commands
from airflow_remote.output import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote.commands import Entry
    from airflow_remote.invocation import Invocation
    from airflow_remote.known import Known

JOB = "job"
JOB_SUMMARY = "List jobs on the server; show, follow, wait for or stop one"
"""Every command is a job there. This is no endpoint: it is about what endpoints have begun."""

ACCESS = {
    "audit": "Show what was asked for on the server, and by whom",
    "can-i": "Ask whether the token may run a command",
    "token": "Make a token for the server's tokens file",
    "whoami": "Show who the token is, and what it may do",
}
"""Commands that are about tokens; no endpoints either."""

OWN = {canonical(name): name for name in (JOB, *ACCESS)}
"""All of these by their one spelling."""

BOTH = ("variables", "connections", "backfill")
"""Classic names that are groups in some Airflow: for these a catalogue is asked for when there is none."""

HELP = ("-h", "--help")
HELP_SECONDS = 5.0
"""How long help waits for a server."""


class Commands(click.Group):
    """The commands by name, each made when it is asked for. The context's object is the ``Invocation``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of live commands as far as they are known, of the classic ones, and ``job``."""
        known = _known(ctx)
        catalogue = known.cached() if known is not None else None
        live = visible(catalogue) if catalogue is not None else []
        return [*live, *(name for name in commands.listed() if name not in live), *OWN.values()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name or an alias, without asking the server for it; None when there is none."""
        own = OWN.get(canonical(cmd_name))
        if own == JOB:
            from airflow_remote.job_commands import job

            return job
        if own is not None:
            from airflow_remote import access_commands

            return access_commands.COMMANDS[own]
        known = _known(ctx)
        live = made(known, cmd_name) if known is not None else None
        endpoint = commands.find(cmd_name)
        return live or (Classic(endpoint) if endpoint is not None else None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that a command line begins with.

        :raises click.UsageError: naming the nearest
        :raises UnsupportedNameError: when it is known why this Airflow has none
        :raises RemoteError: when it is no classic command, and the server's could not be read
        """
        word, *rest = args
        known = _known(ctx)
        endpoint = commands.find(word)
        if known is None or ctx.resilient_parsing or canonical(word) in OWN:
            command = self.get_command(ctx, word)
        elif endpoint is not None:
            command = _either(known, endpoint, word, rest)
        else:
            command = _live(known, word)
        if command is None and not ctx.resilient_parsing:
            raise self.not_there(ctx, args)
        return word, command, rest

    def not_there(self, ctx: click.Context, line: Sequence[str]) -> click.UsageError:
        """The error for a name that means nothing.

        :param line: the words behind the program
        :raises UnsupportedNameError: when it is known why this Airflow has none
        :raises RemoteError: when the server could not be asked for it
        """
        known = _known(ctx)
        catalogue = known.cached() if known is not None else None
        names = [*commands.spellings(), *OWN.values(), *(visible(catalogue) if catalogue is not None else [])]
        if catalogue is not None:
            told_why(catalogue, line)
        error = unknown(ctx, line[0], names, catalogue)
        failure = known.failure if known is not None and catalogue is None else None
        if isinstance(failure, UnsupportedError):
            return click.UsageError(f"{error.message} ({failure.message})", ctx)
        if failure is not None:
            failure.add(f": without the server's own commands, {error.message}")
            raise failure
        return error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the live commands, the classic ones, and ``job``."""
        known = _known(ctx)
        catalogue = known.current(HELP_SECONDS) if known is not None else None
        if catalogue is None:
            if known is not None and known.failure is not None:
                with formatter.section("Commands of the server's Airflow"):
                    formatter.write_text(f"They could not be read: {one_line(known.failure.message)}.")
            commands.write_all(formatter)
        else:
            write_commands(catalogue, "", formatter)
            commands.write_names(formatter)
        with formatter.section("Commands that run, or have run"):
            formatter.write_dl([(JOB, JOB_SUMMARY)])
        with formatter.section("Tokens"):
            formatter.write_dl([*ACCESS.items()])


def _known(ctx: click.Context) -> Known | None:
    invocation: Invocation | None = ctx.find_root().obj
    return invocation.known if invocation is not None else None


def _live(known: Known, word: str) -> click.Command | None:
    """The live command of a name that no classic one has; the server is asked before there is none."""
    from airflow_remote.catalogue import WORD

    if not WORD.fullmatch(word):
        return None
    known.current()
    command = made(known, word)
    if command is None:
        known.renewed()
        command = made(known, word)
    return command


def _either(known: Known, endpoint: Entry, word: str, rest: Sequence[str]) -> click.Command:
    """The live or the classic command of a name that may be both."""
    classic = Classic(endpoint)
    asks_for_help = bool(rest) and all(option in HELP for option in rest)
    goes_on = bool(rest) and not rest[0].startswith("-")
    catalogue = known.cached()
    if catalogue is None:
        if endpoint["name"] not in BOTH or not (goes_on or asks_for_help):
            return classic
        catalogue = known.current(HELP_SECONDS) if asks_for_help else known.current()
        if catalogue is None:
            return classic
    name = catalogue.find(word)
    if name is None or (catalogue.is_group(name) and not (goes_on or asks_for_help)):
        return classic
    known.current(HELP_SECONDS) if asks_for_help else known.current()
    try:
        live = made(known, word)
    except NotTheApiError:
        return classic
    if isinstance(live, LiveCommand):
        return classic if _only_classic(live, classic, rest) else live
    if isinstance(live, LiveGroup):
        if asks_for_help:
            return LiveGroup(known, name, word, classic)
        takes_words = any(isinstance(param, click.Argument) for param in classic.params)
        # No classic command line begins so, where it takes no words: the group says what it has.
        return live if made(known, rest[0], name) is not None or not takes_words else classic
    return classic


def _only_classic(live: LiveCommand, classic: Classic, rest: Sequence[str]) -> bool:
    """Whether a command line has an option that Airflow 1.x has, and today's Airflow has not."""
    from airflow_remote.parsing import meant, options

    old = {
        canonical(flag)
        for param in classic.params
        for flag in param.opts
        if param.param_type_name == "option"
    }
    today = options(live.command)
    for word in rest:
        if word == "--":
            return False
        name = word.partition("=")[0]
        if name.startswith("--"):
            known = meant(name, today) or meant(f"--{name[2:].replace('_', '-')}", today)
        else:
            # -sd may be -s with the value d; where Airflow 1.x has an option -sd, that is meant.
            known = len(name) < 3 or name in today
        if not known and canonical(name) in old:
            return True
    return False
