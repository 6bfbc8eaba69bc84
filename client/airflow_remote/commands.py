"""The classic commands, built from the table that the server's endpoints come from.

A command is made when its name is asked for, so a start costs one small JSON file. Names of commands and
options are the same with ``-`` and with ``_``. What a command line means for the server is worked out by
``arguments``; who sends it is not known here: the context's object is called with it, see ``Run``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote.body import Value

Entry = dict[str, Any]
"""An endpoint, a form or an argument, as the table has it."""

Run = Callable[[str, "dict[str, Value]", Optional[str]], int]
"""Runs a command: its name, its arguments, the local file for its output or None; gives the exit status."""

TABLE = Path(__file__).with_name("classic.json")
MAJORS = [2, 3]

SECTIONS = (
    ("DAGs", ("list_dags", "trigger_dag", "dag_state", "pause", "unpause", "backfill")),
    ("Tasks", ("list_tasks", "task_state", "task_failed_deps", "render", "test", "run", "clear")),
    ("DAG files", ("deploy_dag", "undeploy_dag", "rollback_dag", "refresh_dag", "refresh_all_dags")),
    ("Stores", ("variables", "connections", "pool")),
    ("Services on the server", ("scheduler", "worker", "flower", "kerberos", "serve_logs")),
    ("The server itself", ("version", "rest_api_plugin_version")),
)

FORMS = {
    "list_dags": {"report": ("-r", "Show how long the parsing of each file took.")},
    "variables": {
        "set": ("-s", "Set a variable."),
        "get": ("-g", "Show a variable."),
        "import": ("-i", "Set the variables of a file of this machine."),
        "export": ("-e", "Write all variables to a file of this machine; - is standard output."),
        "delete": ("-x", "Delete a variable."),
    },
    "connections": {
        "list": ("-l", "List the connections; so does no option at all."),
        "add": ("-a", "Add the connection --conn_id."),
        "delete": ("-d", "Delete the connection --conn_id."),
        "get": ("", "Show the connection --conn_id."),
    },
    "pool": {
        "set": ("-s", "Make or change a pool."),
        "get": ("-g", "Show a pool."),
        "delete": ("-x", "Delete a pool."),
    },
}
"""The short option, as Airflow 1.10 had it, and the help of what the table calls forms."""

SAVED = frozenset({("variables", "export")})
"""Forms whose value is the local file for the command's output; the server is told "-"."""

METAVARS = {
    "integer": "NUMBER",
    "date": "DATE",
    "json_object": "JSON",
    "dags_path": "PATH",
    "log_path": "PATH",
}

FORM = "form_"
"""Stands before a form's name among click's parameters, where an argument may have the same name."""


@cache
def table() -> dict[str, Entry]:
    """The endpoints by name."""
    document = json.loads(TABLE.read_text(encoding="utf-8"))
    return {endpoint["name"]: endpoint for endpoint in document["endpoints"]}


def canonical(word: str) -> str:
    """A name in the one spelling that is compared."""
    return word.replace("-", "_")


def find(word: str) -> Entry | None:
    """The endpoint of a name or an alias; None when there is none."""
    name = canonical(word)
    for endpoint in table().values():
        if name == endpoint["name"] or name in endpoint["aliases"]:
            return endpoint
    return None


def listed() -> list[str]:
    """All names, without aliases, in the order of the help."""
    names = [name for _, names in SECTIONS for name in names if name in table()]
    return [*names, *(name for name in table() if name not in names)]


def spellings() -> list[str]:
    """All names and aliases."""
    return [name for entry in table().values() for name in (entry["name"], *entry["aliases"])]


def write_all(formatter: click.HelpFormatter) -> None:
    """Write the commands by what they are about."""
    rest = listed()
    for title, names in (*SECTIONS, ("Others", tuple(rest))):
        rows = [(name, _summary(table()[name])) for name in names if name in rest]
        rest = [name for name in rest if name not in names]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def write_names(formatter: click.HelpFormatter) -> None:
    """Write the commands in a few lines, beside those that Airflow has today."""
    with formatter.section("Commands as in Airflow 1.x"):
        formatter.write_text(", ".join(listed()))


class Classic(click.Command):
    """One endpoint as a command.

    :param endpoint: its entry in the table
    """

    def __init__(self, endpoint: Entry) -> None:
        super().__init__(
            endpoint["name"],
            params=[*_forms(endpoint), *_arguments(endpoint)],
            help=_summary(endpoint) + ".",
        )
        self.endpoint = endpoint

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and say at once all that is missing or does not go together.

        :raises click.UsageError: when something is wrong
        """
        rest = super().parse_args(ctx, args)
        if ctx.resilient_parsing:
            return rest
        missing = [
            entry["name"]
            for entry in self.endpoint["arguments"]
            if entry["required"] and ctx.params.get(entry["name"]) is None
        ]
        if missing:
            raise click.UsageError(f"missing: {', '.join(map(_metavar, missing))}", ctx)
        chosen = [f"--{form['name']}" for form in _chosen(self.endpoint, ctx.params)]
        if len(chosen) > 1:
            raise click.UsageError(f"{' and '.join(chosen)} do not go together: give one of them", ctx)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run it by the context's object, which is a ``Run``, and end with the status that gives."""
        run: Run = ctx.find_root().obj
        given, destination = arguments(self.endpoint, ctx.params)
        ctx.exit(run(self.endpoint["name"], given, destination))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the positional arguments, which click leaves out, before the options."""
        entries = [entry for entry in self.endpoint["arguments"] if entry["positional"]]
        rows = [(_metavar(entry["name"]), _described(entry)) for entry in entries]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


def arguments(endpoint: Entry, params: dict[str, Any]) -> tuple[dict[str, Value], str | None]:
    """What a command line means for the server.

    :param endpoint: its entry in the table
    :param params: what click has read, by parameter
    :returns: the arguments to send; and the local file for the command's output, if there is one
    """
    values = dict(params)
    sent: dict[str, Value] = {}
    destination: str | None = None
    for form in _chosen(endpoint, params):
        sent["cmd"] = form["name"]
        taken = values[FORM + form["name"]]
        values.update(zip(form["takes"], taken if len(form["takes"]) > 1 else [taken]))
        if (endpoint["name"], form["name"]) in SAVED:
            [name] = form["takes"]
            destination, values[name] = values[name], "-"
    for entry in endpoint["arguments"]:
        value = values.get(entry["name"])
        if value is not None and value is not False and value != ():
            sent[entry["name"]] = list(value) if isinstance(value, tuple) else value
    return sent, destination


def _chosen(endpoint: Entry, params: dict[str, Any]) -> list[Entry]:
    """The forms that a command line chooses."""
    return [form for form in endpoint["forms"] if params.get(FORM + form["name"]) not in (None, False)]


def whole_number(text: str) -> str:
    """Check a whole number, and leave it the text that it is; empty means not given, as on the server.

    :raises click.BadParameter: when no server would take it
    """
    if not re.fullmatch(r"[+-]?[0-9]+|", text):
        raise click.BadParameter(f"{text[:40]!r} is not a whole number")
    return text


def _type(entry: Entry) -> Any:
    if entry["choices"]:
        return click.Choice(entry["choices"])
    return {"integer": whole_number, "upload": Path}.get(entry["kind"], str)


def _forms(endpoint: Entry) -> Iterable[click.Parameter]:
    """The options that choose a form; each takes the values of the arguments it stands for."""
    entries = {entry["name"]: entry for entry in endpoint["arguments"]}
    for form in endpoint["forms"]:
        name, takes = form["name"], [entries[taken] for taken in form["takes"]]
        short, help = FORMS.get(endpoint["name"], {}).get(name, ("", ""))
        names = [FORM + name, *([short] if short else []), f"--{name}"]
        if not takes:
            yield click.Option(names, is_flag=True, help=help)
            continue
        saved = (endpoint["name"], name) in SAVED
        types = [str if saved else _type(entry) for entry in takes]
        yield click.Option(
            names,
            type=tuple(types) if len(types) > 1 else types[0],
            metavar=" ".join(_metavar(taken) for taken in form["takes"]),
            help=help,
        )


def _arguments(endpoint: Entry) -> Iterable[click.Parameter]:
    """The arguments that no form takes, positional ones in the order of the table."""
    taken = {name for form in endpoint["forms"] for name in form["takes"]}
    for entry in endpoint["arguments"]:
        name = entry["name"]
        if entry["positional"]:
            usage = _metavar(name) if entry["required"] else f"[{_metavar(name)}]"
            # required=False: click would name the first missing one only
            yield click.Argument([name], type=_type(entry), required=False, metavar=usage)
        elif name not in taken:
            names = [name, *([entry["short"]] if entry["short"] else []), f"--{name}"]
            shown: dict[str, Any] = {"help": _described(entry), "hidden": entry["hidden"]}
            if entry["kind"] == "flag":
                yield click.Option(names, is_flag=True, **shown)
                continue
            metavar = None if entry["choices"] else METAVARS.get(entry["kind"], "TEXT")
            several = entry["repeatable"]
            yield click.Option(names, type=_type(entry), multiple=several, metavar=metavar, **shown)


def _summary(endpoint: Entry) -> str:
    aliases = f" (also: {', '.join(endpoint['aliases'])})" if endpoint["aliases"] else ""
    return f"{endpoint['summary']}{aliases}{_only(endpoint)}"


def _described(entry: Entry) -> str:
    more = "; can be given several times" if entry["repeatable"] else ""
    said = f"{entry['help']}{more}{_only(entry)}"
    return said and f"{said}."


def _only(entry: Entry) -> str:
    """A note for what not every version of Airflow has."""
    majors = [major for major in MAJORS if major in entry["airflow"]]
    return f" (Airflow {majors[0]} only)" if len(majors) == 1 else ""


def _metavar(name: str) -> str:
    return name.upper()
