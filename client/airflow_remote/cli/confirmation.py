"""Ask the user to confirm a command, as the command would on the server."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Any, Callable

from airflow_remote.cli.console import one_line, to_stderr
from airflow_remote.errors import RemoteError, UnusableError
from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_remote.catalog.models import Command

MAX_WORD_LENGTH = 1000

USERINFO = re.compile(r"://[^/?#\s]+@")
"""What a URL has before ``@``."""

OWN_QUESTIONS = ("Are you sure? [y/n]",)
"""Last lines of what Airflow asks that say no more than the question that follows here."""


class DeclinedError(RemoteError):
    """Raised when the user declines."""

    exit_status = ExitStatus.FAILED


def is_asked(command: Command, values: Mapping[str, Any]) -> bool:
    """Return whether a command asks for confirmation.

    :param command: the command
    :param values: values by argument name
    """
    confirm = command.confirm
    if confirm is None or values.get(confirm.argument) is True or any_set(confirm.unless, values):
        return False
    return not confirm.when or any_set(confirm.when, values)


def any_set(names: tuple[str, ...], values: Mapping[str, Any]) -> bool:
    """Return whether one of some arguments has a value."""
    return any(values.get(name) not in (None, False) for name in names)


def confirm(
    command: Command,
    values: Mapping[str, Any],
    line: Sequence[str],
    server: str,
    fetch_question: Callable[[], str],
) -> None:
    """Show the whole command line and what it would change, and ask.

    :param command: a command that asks for confirmation
    :param values: values by argument name
    :param line: the words of the command line, after the command
    :param server: the server's URL
    :param fetch_question: returns what the command asks on the server; may raise ``RemoteError``
    :raises UnusableError: if there is no terminal
    :raises DeclinedError: if the user declines
    """
    if not has_terminal():
        argument = command.argument(command.confirm.argument) if command.confirm else None
        flag = argument.display_name if argument is not None else "--yes"
        raise UnusableError(f"airflow {command.name} asks for confirmation: pass {flag}")
    if command.confirm is not None and command.confirm.preview:
        to_stderr(readable(fetch_question()) or "Nothing would be changed.\n")
    to_stderr(f"Run {show_line(command, values, line)} on {server}? [y/N] ")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        to_stderr("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise DeclinedError("not confirmed; nothing was done")


def readable(question: str) -> str:
    """Return what a command asks, without control characters and blank lines."""
    lines = ["".join(char if char.isprintable() else " " for char in line) for line in question.splitlines()]
    kept = [line for line in lines if line.strip() and line.strip() not in OWN_QUESTIONS]
    return "".join(f"{line.rstrip()}\n" for line in kept)


def show_line(command: Command, values: Mapping[str, Any], line: Sequence[str]) -> str:
    """Return a command line as the user typed it, quoted for a shell, with its secrets masked.

    :param command: the command
    :param values: values by argument name
    :param line: the words after the command
    """
    given = [values.get(argument.name) for argument in command.arguments if argument.secret]
    listed = [one for value in given for one in (value if isinstance(value, list) else [value])]
    secrets = [one for one in listed if isinstance(one, str) and one]
    words = []
    for word in line:
        shown = word
        for secret in secrets:
            if word == secret or (word.startswith("-") and word.endswith(secret)):
                shown = f"{word.removesuffix(secret)}***"
        words.append(one_line(USERINFO.sub("://***@", shown))[:MAX_WORD_LENGTH])
    return shlex.join(["airflow", *command.name.split(" "), *words])


def has_terminal() -> bool:
    """Return whether the user can be prompted."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
