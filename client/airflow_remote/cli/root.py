"""Find the command for a name: a live command of the server's Airflow, a classic one, or the client's own.

Some names stand for two commands: ``variables list`` is live, ``variables --set k v`` is classic. The words
that follow decide. The catalog is not loaded if the decision does not need it. If it is needed and cannot be
loaded, the reason is the only error that the user sees: any other one would be a guess.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING

import click

from airflow_remote.catalog import classic
from airflow_remote.catalog.classic import normalize
from airflow_remote.catalog.models import WORD
from airflow_remote.catalog.provider import MAX_WAIT_SECONDS
from airflow_remote.cli.classic import ClassicCommand, write_names, write_sections
from airflow_remote.cli.console import one_line
from airflow_remote.cli.live import (
    LiveCommand,
    LiveGroup,
    build_command,
    explain_missing,
    nothing_to_complete,
    unknown_command,
    visible_words,
    write_commands,
)
from airflow_remote.cli.own_commands import (
    ACCESS,
    BATCH,
    BATCH_SUMMARY,
    JOB,
    JOB_SUMMARY,
    OWN,
    RUNS,
    find_own,
)
from airflow_remote.errors import NotTheApiError, OutdatedServerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote.catalog.classic import Entry
    from airflow_remote.catalog.models import Catalog
    from airflow_remote.catalog.provider import CatalogProvider
    from airflow_remote.cli.context import CliContext


GROUP_NAMES = ("variables", "connections", "backfill")
"""Classic names that are groups in some Airflow versions. A word after one may be a command of the group."""
COMMAND_NAMES = ("version", "kerberos", "scheduler")
"""Classic names that are also commands of today's Airflow, with other options."""

HELP = ("-h", "--help")
HELP_SECONDS = 5.0
"""How long help waits for the server."""


class RootGroup(click.Group):
    """All commands, each built when it is requested. The context's object is the ``CliContext``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the known live commands, the classic commands, and the client's own."""
        provider = _provider(ctx)
        catalog = provider.load_cached() if provider is not None else None
        live = visible_words(catalog) if catalog is not None else []
        old = (name for name in classic.endpoint_names() if name not in live and name not in OWN)
        return [*(name for name in live if normalize(name) not in OWN), *old, *OWN.values()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command for a name or alias without a request; None if there is none."""
        own = find_own(cmd_name)
        if own is not None:
            return own
        provider = _provider(ctx)
        live = build_command(provider, cmd_name) if provider is not None else None
        endpoint = classic.find_endpoint(cmd_name)
        return live or (ClassicCommand(endpoint) if endpoint is not None else None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that a command line starts with.

        :raises click.UsageError: if there is none; it names the closest one
        :raises UnsupportedNameError: if the catalog says why this Airflow has none
        :raises RemoteError: if it is not a classic command, and the catalog could not be loaded
        """
        word, *rest = args
        provider = _provider(ctx)
        endpoint = classic.find_endpoint(word)
        if normalize(word) in OWN and endpoint is not None and _has_options_only(rest):
            command: click.Command | None = ClassicCommand(endpoint)
        elif provider is None or ctx.resilient_parsing or normalize(word) in OWN:
            command = self.get_command(ctx, word)
        elif endpoint is not None:
            command = _either(ctx, provider, endpoint, word, rest)
        else:
            command = _live(provider, word)
        if command is None:
            if not ctx.resilient_parsing:
                raise self.missing_command(ctx, args)
            command = nothing_to_complete(word)
        return word, command, rest

    def missing_command(self, ctx: click.Context, line: Sequence[str]) -> click.UsageError:
        """Return the error for an unknown name.

        :param line: the words after the program name
        :raises UnsupportedNameError: if the catalog says why this Airflow has none
        """
        provider = _provider(ctx)
        catalog = provider.load_cached() if provider is not None else None
        names = [
            *classic.all_names(),
            *OWN.values(),
            *(visible_words(catalog) if catalog is not None else []),
        ]
        if catalog is not None:
            explain_missing(catalog, line)
        return unknown_command(ctx, line[0], names, catalog)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the live commands, the classic ones, and the client's own."""
        context: CliContext | None = ctx.find_root().obj
        catalog, reason = (None, "") if context is None else _catalog_for_help(context)
        if catalog is None:
            if reason:
                with formatter.section("Commands of the server's Airflow"):
                    formatter.write_text(reason)
            write_sections(formatter)
        else:
            write_commands(catalog, "", formatter)
            write_names(formatter)
        with formatter.section("DAG runs"):
            formatter.write_dl([*RUNS.items()])
        with formatter.section("Jobs"):
            formatter.write_dl([(JOB, JOB_SUMMARY)])
        with formatter.section("Batches"):
            formatter.write_dl([(BATCH, BATCH_SUMMARY)])
        with formatter.section("Tokens"):
            formatter.write_dl([*ACCESS.items()])


def _has_options_only(rest: Sequence[str]) -> bool:
    """Return whether the words after a name are those of an endpoint without positional arguments."""
    return not rest or (rest[0].startswith("-") and rest[0] not in HELP)


def _catalog_for_help(context: CliContext) -> tuple[Catalog | None, str]:
    """Return the catalog for the help of the program; without one, a sentence that says why."""
    provider = context.catalog_provider
    if context.url_is_default:  # a server that the user has not named is asked for commands only
        return provider.load_cached(), "Set --url or AIRFLOW_REMOTE_URL to list them."
    catalog, failure = provider.load(HELP_SECONDS), provider.failure
    return catalog, "" if failure is None else f"They could not be loaded: {one_line(failure.message)}."


def _provider(ctx: click.Context) -> CatalogProvider | None:
    context: CliContext | None = ctx.find_root().obj
    return context.catalog_provider if context is not None else None


def _live(provider: CatalogProvider, word: str) -> click.Command | None:
    """Return the live command for a name that is not classic; ask the server before giving up.

    :raises RemoteError: if the catalog could not be loaded
    """
    if not WORD.fullmatch(word):
        return None
    if provider.load() is None and provider.failure is not None:
        raise provider.failure
    command = build_command(provider, word)
    if command is None:
        provider.reload()
        command = build_command(provider, word)
    return command


def _either(
    ctx: click.Context, provider: CatalogProvider, endpoint: Entry, word: str, rest: Sequence[str]
) -> click.Command:
    """Return the live or the classic command for a name that may be both.

    :raises RemoteError: if only the catalog could tell, and it could not be loaded
    """
    classic_command = ClassicCommand(endpoint)
    wants_help = bool(rest) and all(option in HELP for option in rest)
    has_word = bool(rest) and not rest[0].startswith("-")
    seconds = HELP_SECONDS if wants_help else MAX_WAIT_SECONDS
    catalog = provider.load_cached()
    if catalog is None and endpoint["name"] in (*GROUP_NAMES, *COMMAND_NAMES):
        is_classic = wants_help or _is_valid(classic_command, ctx, word, rest)
        may_be_group = endpoint["name"] in GROUP_NAMES and (has_word or wants_help)
        may_be_command = endpoint["name"] in COMMAND_NAMES and not is_classic
        if may_be_group or may_be_command:
            catalog = provider.load(seconds)
            _require_catalog(ctx, provider, is_classic, wants_help)
    name = catalog.find(word) if catalog is not None else None
    if catalog is None or name is None or (catalog.is_group(name) and not (has_word or wants_help)):
        return classic_command
    provider.load(seconds)  # the cached catalog may be stale
    try:
        live = build_command(provider, word)
    except NotTheApiError:
        return classic_command
    if isinstance(live, LiveCommand):
        return classic_command if _only_classic(live, classic_command, rest) else live
    if not isinstance(live, LiveGroup):
        return classic_command
    if wants_help:
        return LiveGroup(provider, name, word, classic_command)
    takes_words = any(isinstance(param, click.Argument) for param in classic_command.params)
    # A classic command without positional arguments cannot start with a word, so the group reports it.
    return live if build_command(provider, rest[0], name) is not None or not takes_words else classic_command


def _is_valid(command: click.Command, ctx: click.Context, word: str, rest: Sequence[str]) -> bool:
    """Return whether a command accepts a command line, whether ``--help`` is an option in it or a value."""
    without_help = copy(command)
    without_help.add_help_option = False
    for parser, words in ((command, [each for each in rest if each not in HELP]), (without_help, rest)):
        with suppress(click.UsageError):
            parser.make_context(word, list(words), parent=ctx)
            return True
    return False


def _require_catalog(
    ctx: click.Context, provider: CatalogProvider, is_classic: bool, wants_help: bool
) -> None:
    """Raise the reason why there is no catalog, unless the classic command is right without it.

    :param is_classic: whether the classic command accepts the command line
    :param wants_help: whether only help is requested, which the classic command has in any case
    :raises RemoteError: the reason
    """
    failure = provider.failure
    if provider.load_cached() is not None or failure is None:
        return
    if wants_help and not isinstance(failure, OutdatedServerError):
        context: CliContext = ctx.find_root().obj
        context.notify(f"{context.explain(failure)}; this help is for the command of Airflow 1.x only")
    elif not is_classic or not isinstance(failure, OutdatedServerError):
        raise failure


def _only_classic(live: LiveCommand, classic: ClassicCommand, rest: Sequence[str]) -> bool:
    """Return whether a command line has an option of Airflow 1.x that the current Airflow lacks."""
    from airflow_remote.cli.parser import is_option_prefix, option_names

    old = {
        normalize(flag)
        for param in classic.params
        for flag in param.opts
        if param.param_type_name == "option"
    }
    today = option_names(live.command)
    for word in rest:
        if word == "--":
            return False
        name = word.partition("=")[0]
        if name.startswith("--"):
            known = is_option_prefix(name, today) or is_option_prefix(
                f"--{name[2:].replace('_', '-')}", today
            )
        else:
            # -sd may be -s with the value d; if Airflow 1.x has an option -sd, the user means that one.
            known = len(name) < 3 or name in today
        if not known and normalize(name) in old:
            return True
    return False
