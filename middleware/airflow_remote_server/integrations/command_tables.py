"""Describe the commands of the installed Airflow, from the tables that its own parser is built from.

``ALL_COMMANDS_DICT`` of ``airflow.cli.cli_parser`` holds the commands of the core, providers, executors and
the auth manager: ``ActionCommand``, ``GroupCommand`` and ``Arg`` of ``airflow.cli.cli_config``, which have
the same fields in Airflow 2.11 and 3.3. The description is written to a file, for processes that have not
imported Airflow's parser::

    {"airflow": "3.3.2",
     "groups": [{"name": "dags", "help": "Manage DAGs", "description": ""}, ...],
     "commands": [{"name": "dags trigger", "help": ..., "description": ..., "epilog": ..., "hidden": false,
                   "arguments": [{"flags": ["-c", "--conf"], "action": "store", "type": "", "nargs": null,
                                  "choices": [], "default": "", "required": false, "metavar": "",
                                  "help": ...}, ...]}, ...],
     "renamed": {"dags backfill": "backfill create", ...}}

As a program, ``python -m airflow_remote_server.integrations.command_tables FILE``, this module writes that
file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.util.atomic_files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FLAG_ACTIONS = ("store_true", "store_false", "store_const", "count")


def write_tables(path: Path) -> None:
    """Write the description of all commands to a file.

    :param path: the file
    :raises OSError: if it cannot be written
    """
    write_atomically(path, json.dumps(describe_commands()))


def describe_commands() -> dict[str, Any]:
    """Return the description of all commands, in the format of the file."""
    from airflow import __version__
    from airflow.cli.cli_parser import ALL_COMMANDS_DICT
    from airflow.cli.commands import legacy_commands

    groups: list[dict[str, Any]] = []
    commands: list[dict[str, Any]] = []
    for words, entry in walk(ALL_COMMANDS_DICT.values()):
        texts: dict[str, Any] = {
            "name": " ".join(words),
            "help": text_of(entry.help),
            "description": text_of(entry.description),
        }
        if hasattr(entry, "subcommands"):
            groups.append(texts)
        else:
            commands.append({**texts, **describe_arguments(entry)})
    return {
        "airflow": __version__,
        "groups": groups,
        "commands": commands,
        "renamed": dict(legacy_commands.COMMAND_MAP),
    }


def describe_arguments(command: Any) -> dict[str, Any]:
    """Return the description of a command without its name, help and description.

    :param command: Airflow's ``ActionCommand``
    """
    return {
        "epilog": text_of(command.epilog),
        "hidden": bool(getattr(command, "hide", False)),
        "arguments": [describe_argument(arg.flags, arg.kwargs) for arg in command.args],
    }


def walk(entries: Iterable[Any], parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every group and command with its words after ``airflow``, sorted as in Airflow's help.

    :param entries: Airflow's groups and commands
    :param parents: the words of their group
    """
    for entry in sorted(entries, key=lambda entry: str(entry.name)):
        words = (*parents, entry.name)
        yield words, entry
        yield from walk(getattr(entry, "subcommands", ()), words)


def describe_argument(flags: Iterable[str], parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the description of one argument.

    :param flags: its option strings, or the name of a positional argument
    :param parameters: the parameters that Airflow passes to ``add_argument`` of argparse
    """
    action = parameters.get("action", "store")
    kind = parameters.get("type")
    default = parameters.get("default")
    is_flag = action in FLAG_ACTIONS or not isinstance(action, str)
    return {
        "flags": list(flags),
        "action": action if isinstance(action, str) else action.__name__,
        "type": "" if kind is None else getattr(kind, "__name__", type(kind).__name__),
        "nargs": parameters.get("nargs"),
        "choices": order_choices(parameters.get("choices") or ()),
        "default": "" if default is None or is_flag else format_default(default),
        "required": bool(parameters.get("required")),
        "metavar": text_of(parameters.get("metavar")),
        "help": expand_help(text_of(parameters.get("help")), parameters),
    }


def order_choices(choices: Iterable[Any]) -> list[str]:
    """Return choices in the order of Airflow's help. Sort those of a set, whose order is random."""
    texts = [str(choice) for choice in choices]
    return sorted(texts) if isinstance(choices, (set, frozenset)) else texts


def format_default(default: Any) -> str:
    """Return a default value as it would be given on a command line."""
    return ",".join(map(str, default)) if isinstance(default, (list, tuple)) else str(default)


def expand_help(help: str, parameters: dict[str, Any]) -> str:
    """Fill values into a help text, as argparse does (``HelpFormatter._expand_help``)."""
    try:
        return help % {"prog": "airflow", **parameters}
    except (KeyError, TypeError, ValueError):
        return help


def text_of(value: Any) -> str:
    """Return a value as text; some of Airflow's texts are lazy. None becomes ""."""
    return "" if value is None or value is argparse.SUPPRESS else str(value).strip()


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]))
