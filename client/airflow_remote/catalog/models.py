"""The server's catalog: every command of its Airflow, as described by ``GET /api/v1.0/commands``.

A command's entry is parsed when it is requested; ``validate_all`` parses all of them. Texts for the user
have their control characters removed: they come from a server and must not control the terminal.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Union

from airflow_remote.catalog import validate

FORMAT = 1
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
FLAG = re.compile(r"--?[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

MOST_VALUES = 100
"""The maximum number of values of an option: argparse and the help write one word for each."""

Nargs = Union[None, int, str]


class Argument(NamedTuple):
    """An argument of a command.

    :param name: the name in requests
    :param flags: option names such as ``-c`` and ``--conf``; empty for a positional argument
    :param off: the negative form of a flag, such as ``--no-x``; "" if there is none
    :param kind: ``text``, ``flag``, ``upload``, ``download``, ``folder``, ...
    :param nargs: number of values, as in argparse
    :param repeatable: whether the option can be given several times
    :param refused: why the server rejects it; "" if it does not
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
        """Return whether it is a positional argument."""
        return not self.flags

    @property
    def display_name(self) -> str:
        """Return the name for messages."""
        return self.flags[-1] if self.flags else self.name


class Confirm(NamedTuple):
    """When a command asks for confirmation.

    :param argument: the flag that confirms
    :param when: ask only if one of these is given; always if empty
    :param unless: do not ask if one of these is given
    :param preview: whether the server returns what the command asks if the flag is false
    """

    argument: str
    when: tuple[str, ...]
    unless: tuple[str, ...]
    preview: bool


class Ask(NamedTuple):
    """A secret value that a command prompts for if it is missing.

    :param argument: its name
    :param unless: do not prompt if one of these is given
    """

    argument: str
    unless: tuple[str, ...]


class Command(NamedTuple):
    """A command.

    :param name: the words after ``airflow``
    :param help: one line
    :param hidden: whether it is omitted from lists
    :param exclusive: groups of arguments that exclude each other
    :param refused: why the server rejects it; "" if it does not
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
        """Return the argument with a name; None if there is none."""
        return next((argument for argument in self.arguments if argument.name == name), None)


class Group(NamedTuple):
    """A group of commands.

    :param name: the words after ``airflow``; "" for the root
    :param help: one line
    """

    name: str
    help: str
    description: str


class Catalog:
    """All commands of a server.

    ``renamed`` maps command names of other Airflow versions to the current ones; ``missing`` maps groups and
    commands that this Airflow could have to their requirements; ``withheld`` says that some commands are
    hidden, since the token may not run them.

    :param document: as the server sent it
    :raises ValueError: if it is invalid; the message says why
    """

    def __init__(self, document: Any) -> None:
        if not isinstance(document, dict) or "commands" not in document:
            raise ValueError("not a catalog of commands")
        if document.get("format") != FORMAT:
            raise ValueError(
                f"format {str(document.get('format'))[:20]!r}, but this client supports only {FORMAT}"
            )
        self.airflow = validate.clean(validate.text(document, "airflow"))
        self.withheld = document.get("withheld") is True
        self.renamed = {
            " ".join(name.split()): validate.clean(today)
            for name, today in validate.mapping(document, "renamed").items()
        }
        self.missing = {
            " ".join(name.split()): validate.clean(needed)
            for name, needed in validate.mapping(document, "missing").items()
        }
        self._commands = {_name_of(entry): entry for entry in validate.entries(document, "commands")}
        self.groups = {
            name: Group(
                name,
                validate.clean(validate.text(entry, "help")),
                validate.clean(validate.text(entry, "description")),
            )
            for name, entry in ((_name_of(entry), entry) for entry in validate.entries(document, "groups"))
        }
        self._children: dict[str, dict[str, str]] = {"": {}}
        for name in [*self.groups, *self._commands]:
            self._add(name)

    @property
    def names(self) -> list[str]:
        """Return the names of all commands."""
        return list(self._commands)

    def children(self, group: str = "") -> list[str]:
        """Return the full names of a group's members in the server's order; none for an unknown group."""
        return list(self._children.get(group, {}).values())

    def find(self, word: str, group: str = "") -> str | None:
        """Return the full name of a word in a group, written with ``_`` or ``-``; None if there is none."""
        return self._children.get(group, {}).get(word.replace("_", "-"))

    def is_group(self, name: str) -> bool:
        """Return whether a full name is that of a group."""
        return name in self._children

    def help_of(self, name: str) -> str:
        """Return the one-line help of a command or group."""
        return (
            self.groups[name].help
            if self.is_group(name)
            else validate.clean(validate.text(self._commands[name], "help"))
        )

    def is_hidden(self, name: str) -> bool:
        """Return whether a command is omitted from lists."""
        return not self.is_group(name) and validate.flag(self._commands[name], "hidden")

    def command(self, name: str) -> Command:
        """Return a command by its full name.

        :raises KeyError: if there is none
        :raises ValueError: if its entry is invalid
        """
        return _parse_command(self._commands[name])

    def validate_all(self) -> Catalog:
        """Parse all entries, and return this catalog.

        :raises ValueError: if an entry is invalid
        """
        for name in self._commands:
            self.command(name)
        return self

    def _add(self, name: str) -> None:
        """Add a name to its group; create the group if the server did not list it."""
        parent, _, word = name.rpartition(" ")
        if parent and parent not in self._children:
            self.groups.setdefault(parent, Group(parent, "", ""))
            self._add(parent)
        if name in self.groups:
            self._children.setdefault(name, {})
        self._children[parent].setdefault(word.replace("_", "-"), name)


def _parse_command(entry: dict[str, Any]) -> Command:
    arguments = tuple(_parse_argument(argument) for argument in validate.entries(entry, "arguments"))
    return Command(
        name=_name_of(entry),
        help=validate.clean(validate.text(entry, "help")),
        description=validate.clean(validate.text(entry, "description")),
        epilog=validate.clean(validate.text(entry, "epilog")),
        hidden=validate.flag(entry, "hidden"),
        arguments=arguments,
        exclusive=tuple(
            validate.texts({"names": names}, "names") for names in validate.items(entry, "exclusive")
        ),
        confirm=_parse_confirm(entry.get("confirm")),
        asks=tuple(
            Ask(validate.text(ask, "argument"), validate.texts(ask, "unless"))
            for ask in validate.entries(entry, "asks")
        ),
        refused=validate.clean(validate.text(entry, "refused")),
    )


def _parse_confirm(entry: Any) -> Confirm | None:
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise ValueError("'confirm' is not an object")
    return Confirm(
        validate.text(entry, "argument"),
        validate.texts(entry, "when"),
        validate.texts(entry, "unless"),
        entry.get("preview") is True,
    )


def _parse_argument(entry: dict[str, Any]) -> Argument:
    name, nargs, off = validate.text(entry, "name"), entry.get("nargs"), validate.text(entry, "off")
    flags = tuple(flag for flag in validate.texts(entry, "flags") if flag != off)
    if not PARAMETER.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not a valid argument name")
    for flag in (*flags, *([off] if off else [])):
        if not FLAG.fullmatch(flag):
            raise ValueError(f"{flag[:80]!r} is not an option")
    if isinstance(nargs, bool) or not (
        nargs in (None, "?", "*", "+") or (isinstance(nargs, int) and 0 < nargs <= MOST_VALUES)
    ):
        raise ValueError(f"the 'nargs' of {name!r} is invalid")
    return Argument(
        name=name,
        flags=flags,
        off=off,
        kind=validate.text(entry, "kind") or "text",
        nargs=nargs,
        required=validate.flag(entry, "required"),
        repeatable=validate.flag(entry, "repeatable"),
        choices=validate.texts(entry, "choices"),
        default=validate.clean(validate.text(entry, "default")),
        metavar=validate.clean(validate.text(entry, "metavar")),
        help=validate.clean(validate.text(entry, "help")),
        secret=validate.flag(entry, "secret"),
        refused=validate.clean(validate.text(entry, "refused")),
    )


def _name_of(entry: dict[str, Any]) -> str:
    name = validate.text(entry, "name")
    if not name or not all(WORD.fullmatch(word) for word in name.split(" ")):
        raise ValueError(f"{name[:80]!r} is not a valid command name")
    return name
