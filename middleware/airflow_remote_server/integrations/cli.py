"""The commands of the installed Airflow, read from the tables that its own parser is made from.

``ALL_COMMANDS_DICT`` of ``airflow.cli.cli_parser`` holds core, providers', executors' and the auth manager's
commands: ``ActionCommand``, ``GroupCommand`` and ``Arg`` of ``airflow.cli.cli_config``, which have the same
fields in Airflow 2.11 and 3.3. What is read is written to a file, for processes that have not imported it::

    {"airflow": "3.3.2",
     "groups": [{"name": "dags", "help": "Manage DAGs", "description": ""}, ...],
     "commands": [{"name": "dags trigger", "help": ..., "description": ..., "epilog": ..., "hidden": false,
                   "arguments": [{"flags": ["-c", "--conf"], "action": "store", "type": "", "nargs": null,
                                  "choices": [], "default": "", "required": false, "metavar": "",
                                  "help": ...}, ...]}, ...],
     "renamed": {"dags backfill": "backfill create", ...}}

Run as a program, ``python -m airflow_remote_server.integrations.cli FILE``, it writes that file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FLAG_ACTIONS = ("store_true", "store_false", "store_const", "count")


def write(path: Path) -> None:
    """Write what this process knows of Airflow's commands.

    :param path: the file; it is seen whole or not at all
    :raises OSError: when it cannot be written
    """
    partial = path.with_suffix(f".{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(describe(), file)
    partial.replace(path)


def describe() -> dict[str, Any]:
    """All commands of the installed Airflow, as this module's text shows them."""
    from airflow import __version__
    from airflow.cli.cli_parser import ALL_COMMANDS_DICT
    from airflow.cli.commands import legacy_commands

    groups: list[dict[str, Any]] = []
    commands: list[dict[str, Any]] = []
    for words, entry in walk(ALL_COMMANDS_DICT.values()):
        said: dict[str, Any] = {
            "name": " ".join(words),
            "help": text(entry.help),
            "description": text(entry.description),
        }
        if hasattr(entry, "subcommands"):
            groups.append(said)
            continue
        arguments = [argument(arg.flags, arg.kwargs) for arg in entry.args]
        said.update(epilog=text(entry.epilog), hidden=bool(entry.hide), arguments=arguments)
        commands.append(said)
    return {
        "airflow": __version__,
        "groups": groups,
        "commands": commands,
        "renamed": dict(legacy_commands.COMMAND_MAP),
    }


def walk(entries: Iterable[Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every group and command, with its words after ``airflow``; sorted, as Airflow's own help is."""
    for entry in sorted(entries, key=lambda entry: str(entry.name)):
        words = (*above, entry.name)
        yield words, entry
        yield from walk(getattr(entry, "subcommands", ()), words)


def argument(flags: Iterable[str], given: dict[str, Any]) -> dict[str, Any]:
    """One argument.

    :param flags: its option strings; the name of a positional one
    :param given: what Airflow gives ``add_argument`` of argparse
    """
    action = given.get("action", "store")
    kind = given.get("type")
    default = given.get("default")
    is_flag = action in FLAG_ACTIONS or not isinstance(action, str)
    return {
        "flags": list(flags),
        "action": action if isinstance(action, str) else action.__name__,
        "type": "" if kind is None else getattr(kind, "__name__", type(kind).__name__),
        "nargs": given.get("nargs"),
        "choices": ordered(given.get("choices") or ()),
        "default": "" if default is None or is_flag else shown(default),
        "required": bool(given.get("required")),
        "metavar": text(given.get("metavar")),
        "help": explained(text(given.get("help")), given),
    }


def ordered(choices: Iterable[Any]) -> list[str]:
    """Choices in the order of Airflow's help; those of a set have none, and would differ from run to run."""
    texts = [str(choice) for choice in choices]
    return sorted(texts) if isinstance(choices, (set, frozenset)) else texts


def shown(default: Any) -> str:
    """A default as a command line would give it."""
    return ",".join(map(str, default)) if isinstance(default, (list, tuple)) else str(default)


def explained(help: str, given: dict[str, Any]) -> str:
    """A help text as argparse would show it, which puts values into it (``HelpFormatter._expand_help``)."""
    try:
        return help % {"prog": "airflow", **given}
    except (KeyError, TypeError, ValueError):
        return help


def text(value: Any) -> str:
    """A text, of which some of Airflow's are made only when they are asked for; None is none."""
    return "" if value is None or value is argparse.SUPPRESS else str(value).strip()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
