"""The command line of one live command, read as Airflow reads it: by a parser made from the catalogue.

Only what was given is in the outcome: no defaults. Values stay the texts that they are, since the server and
Airflow convert them. What argparse itself checks is checked here: what is missing, choices, how many values.
"""

from __future__ import annotations

import argparse
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_remote.errors import NotTheApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote.catalogue import Argument, Command

HELP = ("-h", "--help")


class Secret(Enum):
    """Stands for the value of a secret option that was given without one."""

    ASKED_FOR = "to be asked for"


class WrongLineError(Exception):
    """Raised for a command line that Airflow's parser would not take.

    :param message: as argparse says it
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class HelpAsked(Exception):
    """Raised when the command line asks for help."""


def parse(command: Command, line: Sequence[str]) -> dict[str, Any]:
    """What a command line gives.

    :param command: says what can be given
    :param line: the words behind the command
    :returns: values by the arguments' names: texts, True, False, lists of texts, or ``Secret.ASKED_FOR``
    :raises WrongLineError: when it is wrong
    :raises HelpAsked: when it asks for help
    :raises NotTheApiError: when no parser can be made of the catalogue's entry
    """
    try:
        parser = _parser(command)
    except (ValueError, TypeError, argparse.ArgumentError) as error:
        raise NotTheApiError(
            f"the server's entry for {command.name!r} cannot be understood: {error}"
        ) from None
    try:
        given = vars(parser.parse_args(list(line)))
    except WrongLineError:
        again = spelled(command, line)
        if again == list(line):
            raise
        given = vars(parser.parse_args(again))
    for argument in command.arguments:
        value = given.get(argument.name)
        values = value if isinstance(value, list) and argument.repeatable else [value]
        if argument.nargs is None and any(isinstance(one, list) for one in values):
            # Before Python 3.13, argparse drops a -- wherever it is, and gives an empty list for the value.
            raise WrongLineError(f"argument {argument.shown}: its value cannot be --")
    for names in command.exclusive:
        met = [
            argument for argument in command.arguments if argument.name in names and argument.name in given
        ]
        if len(met) > 1:
            said = " and ".join(argument.shown for argument in met)
            raise WrongLineError(f"{said} do not go together: give one of them")
    return given


def spelled(command: Command, line: Sequence[str]) -> list[str]:
    """A command line with the long options that were written with ``_`` as Airflow writes them.

    Only for a line that Airflow's parser does not take as it is: what looks like such an option may be a
    value there, as in ``--conf "--dag_id=a b"``.
    """
    known = options(command)
    words = list(line)
    for index, word in enumerate(words):
        if word == "--":
            break
        name, equals, value = word.partition("=")
        dashed = f"--{name[2:].replace('_', '-')}"
        if name.startswith("--") and dashed != name and not meant(name, known) and meant(dashed, known):
            words[index] = f"{dashed}{equals}{value}"
    return words


def options(command: Command) -> list[str]:
    """All spellings of a command's options, also those for help."""
    spellings = [flag for argument in command.arguments for flag in _flags(argument)]
    return [*spellings, *(flag for flag in HELP if flag not in spellings)]


def meant(name: str, known: Sequence[str]) -> bool:
    """Whether a long option is one of these, or the beginning of one."""
    return any(flag.startswith(name) for flag in known)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise WrongLineError(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Check a choice, but not whether it is spelled in capitals: some of Airflow's types do not mind.

        Python 3.9 to 3.11 ask about the default of what was not given as well.
        """
        if value is argparse.SUPPRESS or (isinstance(value, str) and value.lower() in (action.choices or ())):
            return
        super()._check_value(action, value)


class _Help(argparse.Action):
    def __call__(self, *_: Any, **__: Any) -> None:
        raise HelpAsked


def _parser(command: Command) -> _Parser:
    parser = _Parser(
        prog=command.name, usage="", add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=True
    )
    own = {flag for argument in command.arguments for flag in _flags(argument)}
    asks = [flag for flag in HELP if flag not in own]
    if asks:
        parser.add_argument(*asks, action=_Help, nargs=0, dest=argparse.SUPPRESS)
    for argument in command.arguments:
        _add(parser, argument)
    return parser


def _add(parser: _Parser, argument: Argument) -> None:
    how: dict[str, Any] = {} if argument.nargs is None else {"nargs": argument.nargs}
    if argument.choices:
        how["choices"] = argument.choices
    if argument.positional:
        parser.add_argument(argument.name, **how)
        return
    if argument.kind == "flag":
        how = {"nargs": 0, "action": _switch(argument.off)}
    elif argument.secret and argument.nargs in (None, "?"):
        how.update(nargs="?", const=Secret.ASKED_FOR)
    elif argument.nargs == "?":
        how["const"] = True
    if argument.repeatable:
        how["action"] = "append"
    parser.add_argument(*_flags(argument), dest=argument.name, required=argument.required, **how)


def _switch(off: str) -> type[argparse.Action]:
    """The action of a flag, which may have a second form that turns it off."""

    class Switch(argparse.Action):
        def __call__(
            self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
        ) -> None:
            setattr(namespace, self.dest, option_string != off)

    return Switch


def _flags(argument: Argument) -> list[str]:
    return [*argument.flags, *([argument.off] if argument.off else [])]
