"""Click commands for the classic endpoints, built from the table that the server exports.

A command is built when its name is requested, so startup reads only one small JSON file. Names of commands
and options can be written with ``-`` or ``_``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_remote.catalog.classic import Entry, endpoint_names, load_table, sections
from airflow_remote.cli.help_formatter import DocumentedCommand
from airflow_remote.cli.own_commands import OWN
from airflow_remote.cli.wait_options import take_waiting, wait_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote.cli.context import CliContext
    from airflow_remote.http.multipart import Value

AIRFLOW_MAJORS = [2, 3]

VARIANTS = {
    "list_dags": {"report": ("-r", "Show how long the parsing of each file took.")},
    "variables": {
        "set": ("-s", "Set a variable."),
        "get": ("-g", "Show a variable."),
        "import": ("-i", "Import variables from a local file."),
        "export": ("-e", "Export all variables to a local file; - is standard output."),
        "delete": ("-x", "Delete a variable."),
    },
    "connections": {
        "list": ("-l", "List the connections; this is the default."),
        "add": ("-a", "Add the connection --conn_id."),
        "delete": ("-d", "Delete the connection --conn_id."),
        "get": ("", "Show the connection --conn_id."),
    },
    "pool": {
        "set": ("-s", "Create or change a pool."),
        "get": ("-g", "Show a pool."),
        "delete": ("-x", "Delete a pool."),
    },
}
"""The short option, as in Airflow 1.10, and the help of each variant of the table."""

SAVED_TO_FILE = frozenset({("variables", "export")})
"""Variants whose value is the local file for the output; the server receives "-"."""

METAVARS = {
    "integer": "NUMBER",
    "date": "DATE",
    "json_object": "JSON",
    "dags_path": "PATH",
    "log_path": "PATH",
}

VARIANT_PREFIX = "variant_"
"""Prefix of a variant's click parameter, since an argument may have the same name."""


def shown_names() -> list[str]:
    """Return the names of the commands, without those whose place a command of the client takes."""
    return [name for name in endpoint_names() if name not in OWN]


def write_sections(formatter: click.HelpFormatter) -> None:
    """Write the commands in sections by topic."""
    rest = shown_names()
    for title, names in (*sections(), ("Others", rest)):
        rows = [(name, _summary(load_table()[name])) for name in names if name in rest]
        rest = [name for name in rest if name not in names]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def write_names(formatter: click.HelpFormatter) -> None:
    """Write the names only, for a help text that lists current commands first."""
    with formatter.section("Commands as in Airflow 1.x"):
        formatter.write_text(", ".join(shown_names()))


class ClassicCommand(DocumentedCommand):
    """A click command for an endpoint.

    :param endpoint: its entry in the table
    """

    def __init__(self, endpoint: Entry) -> None:
        super().__init__(
            endpoint["name"],
            params=[
                *_variant_options(endpoint),
                *_argument_parameters(endpoint),
                *wait_parameters(endpoint["name"]),
            ],
            help=_summary(endpoint) + ".",
        )
        self.endpoint = endpoint
        positional = [entry for entry in endpoint["arguments"] if entry["positional"]]
        self.argument_help = [(_metavar(entry["name"]), _describe(entry)) for entry in positional]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and report all missing or conflicting ones at once.

        :raises click.UsageError: if the command line is invalid
        """
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click omits it for an option with too few values
            raise
        if ctx.resilient_parsing:
            return rest
        missing = [
            entry["name"]
            for entry in self.endpoint["arguments"]
            if entry["required"] and ctx.params.get(entry["name"]) is None
        ]
        if missing:
            raise click.UsageError(f"missing: {', '.join(map(_metavar, missing))}", ctx)
        chosen = [f"--{variant['name']}" for variant in _selected_variants(self.endpoint, ctx.params)]
        if len(chosen) > 1:
            raise click.UsageError(f"{' and '.join(chosen)} cannot be combined: use only one of them", ctx)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and exit with its status."""
        from airflow_remote.cli.runner import CommandRunner

        context: CliContext = ctx.find_root().obj
        try:
            waiting = take_waiting(ctx.params, context.detach)
        except ValueError as error:
            raise click.UsageError(str(error), ctx) from None
        values, destination = request_arguments(self.endpoint, ctx.params)
        runner = CommandRunner(context)
        status = runner.run_classic(self.endpoint["name"], values, destination)
        if waiting is not None and runner.result is not None:
            status = waiting.follow(context, runner.result, str(values["dag_id"]))
        ctx.exit(status)


def request_arguments(endpoint: Entry, params: dict[str, Any]) -> tuple[dict[str, Value], str | None]:
    """Convert parsed parameters to the arguments of a request.

    :param endpoint: its entry in the table
    :param params: the values parsed by click, by parameter
    :returns: the arguments to send, and the local file for the output, if any
    """
    values = dict(params)
    sent: dict[str, Value] = {}
    destination: str | None = None
    for variant in _selected_variants(endpoint, params):
        sent["cmd"] = variant["name"]
        taken = values[VARIANT_PREFIX + variant["name"]]
        values.update(zip(variant["takes"], taken if len(variant["takes"]) > 1 else [taken]))
        if (endpoint["name"], variant["name"]) in SAVED_TO_FILE:
            [name] = variant["takes"]
            destination, values[name] = values[name], "-"
    for entry in endpoint["arguments"]:
        value = values.get(entry["name"])
        if value is not None and value is not False and value != ():
            sent[entry["name"]] = list(value) if isinstance(value, tuple) else value
    return sent, destination


def _selected_variants(endpoint: Entry, params: dict[str, Any]) -> list[Entry]:
    """Return the variants that the command line selects."""
    return [
        variant
        for variant in endpoint["forms"]
        if params.get(VARIANT_PREFIX + variant["name"]) not in (None, False)
    ]


def whole_number(text: str) -> str:
    """Validate a whole number, and return the text; an empty text means not given, as on the server.

    :raises click.BadParameter: if it is not a whole number
    """
    if not re.fullmatch(r"[+-]?[0-9]+|", text):
        raise click.BadParameter(f"{text[:40]!r} is not a whole number")
    return text


def _type(entry: Entry) -> Any:
    if entry["choices"]:
        return click.Choice(entry["choices"])
    return {"integer": whole_number, "upload": Path}.get(entry["kind"], str)


def _variant_options(endpoint: Entry) -> Iterable[click.Parameter]:
    """Yield the options that select a variant; each takes the values of the variant's arguments."""
    entries = {entry["name"]: entry for entry in endpoint["arguments"]}
    for variant in endpoint["forms"]:
        name, takes = variant["name"], [entries[taken] for taken in variant["takes"]]
        short, help = VARIANTS.get(endpoint["name"], {}).get(name, ("", ""))
        names = [VARIANT_PREFIX + name, *([short] if short else []), f"--{name}"]
        if not takes:
            yield click.Option(names, is_flag=True, help=help)
            continue
        saved = (endpoint["name"], name) in SAVED_TO_FILE
        types = [str if saved else _type(entry) for entry in takes]
        yield click.Option(
            names,
            type=tuple(types) if len(types) > 1 else types[0],
            metavar=" ".join(_metavar(taken) for taken in variant["takes"]),
            help=help,
        )


def _argument_parameters(endpoint: Entry) -> Iterable[click.Parameter]:
    """Yield the arguments that belong to no variant, positional ones in the order of the table."""
    taken = {name for variant in endpoint["forms"] for name in variant["takes"]}
    for entry in endpoint["arguments"]:
        name = entry["name"]
        if entry["positional"]:
            usage = _metavar(name) if entry["required"] else f"[{_metavar(name)}]"
            # required=False: click would report the first missing argument only
            yield click.Argument([name], type=_type(entry), required=False, metavar=usage)
        elif name not in taken:
            names = [name, *([entry["short"]] if entry["short"] else []), f"--{name}"]
            shown: dict[str, Any] = {"help": _describe(entry), "hidden": entry["hidden"]}
            if entry["kind"] == "flag":
                yield click.Option(names, is_flag=True, **shown)
                continue
            metavar = None if entry["choices"] else METAVARS.get(entry["kind"], "TEXT")
            several = entry["repeatable"]
            yield click.Option(names, type=_type(entry), multiple=several, metavar=metavar, **shown)


def _summary(endpoint: Entry) -> str:
    aliases = f" (also: {', '.join(endpoint['aliases'])})" if endpoint["aliases"] else ""
    return f"{endpoint['summary']}{aliases}{_version_note(endpoint)}"


def _describe(entry: Entry) -> str:
    more = "; can be given several times" if entry["repeatable"] else ""
    text = f"{entry['help']}{more}{_version_note(entry)}"
    return text and f"{text}."


def _version_note(entry: Entry) -> str:
    """Return a note if only one major version of Airflow has the command or argument."""
    majors = [major for major in AIRFLOW_MAJORS if major in entry["airflow"]]
    return f" (Airflow {majors[0]} only)" if len(majors) == 1 else ""


def _metavar(name: str) -> str:
    return name.upper()
