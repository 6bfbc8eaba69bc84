"""What a command would ask on the server, where nobody can answer: whether to act, and secrets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_remote.errors import RemoteError, UnusableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.output import one_line, to_stderr
from airflow_remote.parsing import Secret

if TYPE_CHECKING:
    from airflow_remote.catalogue import Argument, Command

LONGEST_WORD = 60


class DeclinedError(RemoteError):
    """Raised when the user does not want it after all."""

    exit_status = ExitStatus.FAILED


def answered(command: Command, given: dict[str, Any], server: str) -> dict[str, Any]:
    """What is given once all that the command asks has been answered.

    :param command: which
    :param given: values by the arguments' names
    :param server: its URL, to be shown
    :raises UnusableError: when there is no terminal to ask at
    :raises DeclinedError: when the answer is no, or two secrets are not the same
    """
    said = {name: _without_secret(value) for name, value in given.items()} if command.refused else dict(given)
    if command.refused:
        return said  # the server says why; nobody should type a password for that
    if _asks_to_act(command, given):
        assert command.confirm is not None  # noqa: S101 (for the type checker)
        _confirm(command, given, server)
        said[command.confirm.argument] = True
    for name, value in given.items():
        argument = command.argument(name)
        if argument is not None and value is Secret.ASKED_FOR:
            said[name] = _secret(command, argument, twice=False)
        elif argument is not None and isinstance(value, list) and Secret.ASKED_FOR in value:
            said[name] = [
                _secret(command, argument, twice=False) if one is Secret.ASKED_FOR else one for one in value
            ]
    for ask in command.asks:
        argument = command.argument(ask.argument)
        if argument is not None and ask.argument not in given and not _any(ask.unless, given):
            said[ask.argument] = _secret(command, argument, twice=True)
    return said


def _without_secret(value: Any) -> Any:
    return True if value is Secret.ASKED_FOR else value


def _asks_to_act(command: Command, given: dict[str, Any]) -> bool:
    confirm = command.confirm
    if confirm is None or given.get(confirm.argument) is True or _any(confirm.unless, given):
        return False
    return not confirm.when or _any(confirm.when, given)


def _any(names: tuple[str, ...], given: dict[str, Any]) -> bool:
    return any(given.get(name) not in (None, False) for name in names)


def _confirm(command: Command, given: dict[str, Any], server: str) -> None:
    if not terminal():
        argument = command.argument(command.confirm.argument) if command.confirm else None
        flag = argument.shown if argument is not None else "--yes"
        raise UnusableError(f"airflow {command.name} asks before it acts: pass {flag}")
    words = [f"airflow {command.name}"]
    for argument in command.arguments:
        value = given.get(argument.name)
        if argument.positional and not argument.secret and value is not None:
            words += [str(one) for one in (value if isinstance(value, list) else [value])]
    shown = " ".join(one_line(word)[:LONGEST_WORD] for word in words)
    to_stderr(f"Run {shown} on {server}? [y/N] ")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        to_stderr("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise DeclinedError("not confirmed; nothing was done")


def _secret(command: Command, argument: Argument, twice: bool) -> str:
    """Ask for a secret, which is not shown while it is typed.

    :param twice: as Airflow does for a new password
    """
    if not terminal():
        raise UnusableError(
            f"airflow {command.name} needs {argument.shown} with a value: there is no terminal to ask for it"
        )
    from getpass import getpass

    label = argument.shown.lstrip("-").replace("-", " ").capitalize()
    try:
        secret = getpass(f"{label}: ", sys.stderr)
        if twice and getpass("Repeat for confirmation: ", sys.stderr) != secret:
            raise DeclinedError("the two are not the same; nothing was done")
    except EOFError:
        raise DeclinedError("no answer; nothing was done") from None
    return secret


def terminal() -> bool:
    """Whether somebody can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
