"""The server's catalogue: every command that its Airflow has, as ``GET /api/v1.0/commands`` describes them.

A command's entry is looked into when the command is asked for; ``checked`` looks into all of them. What is
shown to people is without control characters: it comes from a server, and must not steer the terminal.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Union

from airflow_remote import shape

FORMAT = 1
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
FLAG = re.compile(r"--?[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

MOST_VALUES = 100
"""An option that wants more values than this is a mistake: argparse and the help write one word for each."""

Nargs = Union[None, int, str]


class Argument(NamedTuple):
    """An argument of a command.

    :param name: in requests
    :param flags: as ``-c`` and ``--conf``; none for a positional one
    :param off: of a flag with two forms, the second, as ``--no-x``; else ""
    :param kind: ``text``, ``flag``, ``upload``, ``download``, ``folder``, ...
    :param nargs: as argparse has it
    :param repeatable: whether the option can be given several times, and all of its values count
    :param refused: why the server never accepts it; "" when it does
    """

    name: str
    flags: tuple[str, ...]
    off: str
    kind: str
    nargs: Nargs
    required: bool
    repeatable: bool
    choices: tuple[str, ...]
    default: str
    metavar: str
    help: str
    secret: bool
    refused: str

    @property
    def positional(self) -> bool:
        """Whether it has no option in front."""
        return not self.flags

    @property
    def shown(self) -> str:
        """How a message calls it."""
        return self.flags[-1] if self.flags else self.name


class Confirm(NamedTuple):
    """When a command asks before it acts.

    :param argument: the flag that answers it
    :param when: it asks only when one of these is given; always when there are none
    :param unless: it does not ask when one of these is given
    """

    argument: str
    when: tuple[str, ...]
    unless: tuple[str, ...]


class Ask(NamedTuple):
    """A secret value that a command asks for when it has none.

    :param argument: its name
    :param unless: it does not ask when one of these is given
    """

    argument: str
    unless: tuple[str, ...]


class Command(NamedTuple):
    """A command.

    :param name: the words behind ``airflow``
    :param help: one line
    :param hidden: whether it is left out of lists
    :param exclusive: names of arguments that do not go together
    :param refused: why the server does not run it; "" when it does
    """

    name: str
    help: str
    description: str
    epilog: str
    hidden: bool
    arguments: tuple[Argument, ...]
    exclusive: tuple[tuple[str, ...], ...]
    confirm: Confirm | None
    asks: tuple[Ask, ...]
    refused: str

    def argument(self, name: str) -> Argument | None:
        """One of its arguments; None when it has none of this name."""
        return next((argument for argument in self.arguments if argument.name == name), None)


class Group(NamedTuple):
    """A group of commands.

    :param name: the words behind ``airflow``; "" for all that there is
    :param help: one line
    """

    name: str
    help: str
    description: str


class Catalogue:
    """All commands of a server.

    ``renamed`` are names of other Airflows, with today's; ``missing`` are groups and commands that this
    Airflow could have, with what it needs for that; ``withheld`` says that there are commands that the token
    may not run, and that are not told.

    :param document: as the server sent it
    :raises ValueError: when it cannot be understood; the message says why
    """

    def __init__(self, document: Any) -> None:
        if not isinstance(document, dict) or "commands" not in document:
            raise ValueError("no catalogue of commands")
        if document.get("format") != FORMAT:
            raise ValueError(
                f"format {str(document.get('format'))[:20]!r}, and this client knows {FORMAT} only"
            )
        self.airflow = shape.clean(shape.text(document, "airflow"))
        self.withheld = document.get("withheld") is True
        self.renamed = {
            " ".join(name.split()): shape.clean(today)
            for name, today in shape.mapping(document, "renamed").items()
        }
        self.missing = {
            " ".join(name.split()): shape.clean(needed)
            for name, needed in shape.mapping(document, "missing").items()
        }
        self._commands = {_words(entry): entry for entry in shape.entries(document, "commands")}
        self.groups = {
            name: Group(
                name, shape.clean(shape.text(entry, "help")), shape.clean(shape.text(entry, "description"))
            )
            for name, entry in ((_words(entry), entry) for entry in shape.entries(document, "groups"))
        }
        self._children: dict[str, dict[str, str]] = {"": {}}
        for name in [*self.groups, *self._commands]:
            self._add(name)

    @property
    def names(self) -> list[str]:
        """The names of all commands."""
        return list(self._commands)

    def children(self, group: str = "") -> list[str]:
        """The full names of what is directly in a group, in the server's order; none without the group."""
        return list(self._children.get(group, {}).values())

    def find(self, word: str, group: str = "") -> str | None:
        """The full name of what a word means in a group, with ``_`` or ``-``; None when there is nothing."""
        return self._children.get(group, {}).get(word.replace("_", "-"))

    def is_group(self, name: str) -> bool:
        """Whether a full name is a group's."""
        return name in self._children

    def help_of(self, name: str) -> str:
        """The one line about a command or group."""
        return (
            self.groups[name].help
            if self.is_group(name)
            else shape.clean(shape.text(self._commands[name], "help"))
        )

    def is_hidden(self, name: str) -> bool:
        """Whether a command is left out of lists."""
        return not self.is_group(name) and shape.flag(self._commands[name], "hidden")

    def command(self, name: str) -> Command:
        """A command by its full name.

        :raises KeyError: when there is none
        :raises ValueError: when its entry cannot be understood
        """
        return _command(self._commands[name])

    def checked(self) -> Catalogue:
        """The same, once all of it has been looked into.

        :raises ValueError: when something cannot be understood
        """
        for name in self._commands:
            self.command(name)
        return self

    def _add(self, name: str) -> None:
        """Note a name in the group that it is in; which is made when the server did not list it."""
        parent, _, word = name.rpartition(" ")
        if parent and parent not in self._children:
            self.groups.setdefault(parent, Group(parent, "", ""))
            self._add(parent)
        if name in self.groups:
            self._children.setdefault(name, {})
        self._children[parent].setdefault(word.replace("_", "-"), name)


def _command(entry: dict[str, Any]) -> Command:
    arguments = tuple(_argument(argument) for argument in shape.entries(entry, "arguments"))
    return Command(
        name=_words(entry),
        help=shape.clean(shape.text(entry, "help")),
        description=shape.clean(shape.text(entry, "description")),
        epilog=shape.clean(shape.text(entry, "epilog")),
        hidden=shape.flag(entry, "hidden"),
        arguments=arguments,
        exclusive=tuple(shape.texts({"names": names}, "names") for names in shape.items(entry, "exclusive")),
        confirm=_confirm(entry.get("confirm")),
        asks=tuple(
            Ask(shape.text(ask, "argument"), shape.texts(ask, "unless"))
            for ask in shape.entries(entry, "asks")
        ),
        refused=shape.clean(shape.text(entry, "refused")),
    )


def _confirm(entry: Any) -> Confirm | None:
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise ValueError("'confirm' is no object")
    return Confirm(shape.text(entry, "argument"), shape.texts(entry, "when"), shape.texts(entry, "unless"))


def _argument(entry: dict[str, Any]) -> Argument:
    name, nargs, off = shape.text(entry, "name"), entry.get("nargs"), shape.text(entry, "off")
    flags = tuple(flag for flag in shape.texts(entry, "flags") if flag != off)
    if not PARAMETER.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not an argument's name")
    for flag in (*flags, *([off] if off else [])):
        if not FLAG.fullmatch(flag):
            raise ValueError(f"{flag[:80]!r} is not an option")
    if isinstance(nargs, bool) or not (
        nargs in (None, "?", "*", "+") or (isinstance(nargs, int) and 0 < nargs <= MOST_VALUES)
    ):
        raise ValueError(f"the 'nargs' of {name!r} cannot be understood")
    return Argument(
        name=name,
        flags=flags,
        off=off,
        kind=shape.text(entry, "kind") or "text",
        nargs=nargs,
        required=shape.flag(entry, "required"),
        repeatable=shape.flag(entry, "repeatable"),
        choices=shape.texts(entry, "choices"),
        default=shape.clean(shape.text(entry, "default")),
        metavar=shape.clean(shape.text(entry, "metavar")),
        help=shape.clean(shape.text(entry, "help")),
        secret=shape.flag(entry, "secret"),
        refused=shape.clean(shape.text(entry, "refused")),
    )


def _words(entry: dict[str, Any]) -> str:
    name = shape.text(entry, "name")
    if not name or not all(WORD.fullmatch(word) for word in name.split(" ")):
        raise ValueError(f"{name[:80]!r} is not a command's name")
    return name
