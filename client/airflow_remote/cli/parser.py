"""Parse the command line of a live command as Airflow does, with a parser built from the catalog.

The result has no defaults, only values from the command line. They stay texts, since the server and Airflow
convert them. Everything that argparse checks is checked: required arguments, choices, number of values.
"""

from __future__ import annotations

import argparse
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_remote.errors import NotTheApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote.catalog.models import Argument, Command

HELP = ("-h", "--help")


class Secret(Enum):
    """A placeholder for a secret option given without a value."""

    PROMPT = "prompt for it"


class CommandLineError(Exception):
    """Raised for a command line that Airflow's parser would reject.

    :param message: the message of argparse
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class HelpRequested(Exception):
    """Raised when the command line requests help."""


def parse(command: Command, line: Sequence[str]) -> dict[str, Any]:
    """Parse a command line.

    :param command: the command
    :param line: the words after the command
    :returns: values by argument name: texts, True, False, lists of texts, or ``Secret.PROMPT``
    :raises CommandLineError: if it is invalid
    :raises HelpRequested: if it requests help
    :raises NotTheApiError: if the catalog's entry is invalid
    """
    try:
        parser = _build_parser(command)
    except (ValueError, TypeError, argparse.ArgumentError) as error:
        raise NotTheApiError(f"the server's entry for {command.name!r} is invalid: {error}") from None
    try:
        given = vars(parser.parse_args(list(line)))
    except CommandLineError:
        respelled = with_dashes(command, line)
        if respelled == list(line):
            raise
        given = vars(parser.parse_args(respelled))
    for argument in command.arguments:
        value = given.get(argument.name)
        values = value if isinstance(value, list) and argument.repeatable else [value]
        if argument.nargs is None and any(isinstance(one, list) for one in values):
            # Before Python 3.13, argparse drops a -- anywhere, and returns an empty list as the value.
            raise CommandLineError(f"argument {argument.display_name}: the value cannot be --")
    for names in command.exclusive:
        conflicting = [
            argument for argument in command.arguments if argument.name in names and argument.name in given
        ]
        if len(conflicting) > 1:
            names_text = " and ".join(argument.display_name for argument in conflicting)
            raise CommandLineError(f"{names_text} cannot be combined: use only one of them")
    return given


def with_dashes(command: Command, line: Sequence[str]) -> list[str]:
    """Replace ``_`` by ``-`` in the long options of a command line.

    This is only for a line that the parser rejects as it is: a word that looks like such an option may be a
    value, as in ``--conf "--dag_id=a b"``.
    """
    flags = option_names(command)
    words = list(line)
    for index, word in enumerate(words):
        if word == "--":
            break
        name, equals, value = word.partition("=")
        dashed = f"--{name[2:].replace('_', '-')}"
        if (
            name.startswith("--")
            and dashed != name
            and not is_option_prefix(name, flags)
            and is_option_prefix(dashed, flags)
        ):
            words[index] = f"{dashed}{equals}{value}"
    return words


def option_names(command: Command) -> list[str]:
    """Return all option names of a command, including those for help."""
    spellings = [flag for argument in command.arguments for flag in _flags(argument)]
    return [*spellings, *(flag for flag in HELP if flag not in spellings)]


def is_option_prefix(name: str, flags: Sequence[str]) -> bool:
    """Return whether a name is one of the options, or the beginning of one."""
    return any(flag.startswith(name) for flag in flags)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise CommandLineError(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Check a choice, but ignore case: some of Airflow's types accept capitals.

        Python 3.9 to 3.11 also check the default of an absent argument.
        """
        if value is argparse.SUPPRESS or (isinstance(value, str) and value.lower() in (action.choices or ())):
            return
        super()._check_value(action, value)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Reject ``--secret=--``: before Python 3.13, argparse drops the value, which would prompt for it."""
        has_value = bool(arg_strings)
        values = super()._get_values(action, arg_strings)
        if values is Secret.PROMPT and has_value:
            raise CommandLineError(f"argument {'/'.join(action.option_strings)}: the value cannot be --")
        return values


class _Help(argparse.Action):
    def __call__(self, *_: Any, **__: Any) -> None:
        raise HelpRequested


def _build_parser(command: Command) -> _Parser:
    parser = _Parser(
        prog=command.name, usage="", add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=True
    )
    own = {flag for argument in command.arguments for flag in _flags(argument)}
    asks = [flag for flag in HELP if flag not in own]
    if asks:
        parser.add_argument(*asks, action=_Help, nargs=0, dest=argparse.SUPPRESS)
    for argument in command.arguments:
        _add_argument(parser, argument)
    return parser


def _add_argument(parser: _Parser, argument: Argument) -> None:
    settings: dict[str, Any] = {} if argument.nargs is None else {"nargs": argument.nargs}
    if argument.choices:
        settings["choices"] = argument.choices
    if argument.positional:
        parser.add_argument(argument.name, **settings)
        return
    if argument.kind == "flag":
        settings = {"nargs": 0, "action": _flag_action(argument.off)}
    elif argument.secret and argument.nargs in (None, "?"):
        settings.update(nargs="?", const=Secret.PROMPT)
    elif argument.nargs == "?":
        settings["const"] = True
    if argument.repeatable:
        settings["action"] = "append"
    parser.add_argument(*_flags(argument), dest=argument.name, required=argument.required, **settings)


def _flag_action(off: str) -> type[argparse.Action]:
    """Return the action of a flag, which may have a negative form."""

    class Switch(argparse.Action):
        def __call__(
            self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
        ) -> None:
            setattr(namespace, self.dest, option_string != off)

    return Switch


def _flags(argument: Argument) -> list[str]:
    return [*argument.flags, *([argument.off] if argument.off else [])]
