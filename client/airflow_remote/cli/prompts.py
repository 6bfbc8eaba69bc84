"""Show locally the prompts that a command would show on the server: confirmations and secrets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_remote.cli.console import one_line, to_stderr
from airflow_remote.cli.parser import Secret
from airflow_remote.errors import RemoteError, UnusableError
from airflow_remote.exit_status import ExitStatus

if TYPE_CHECKING:
    from airflow_remote.catalog.models import Argument, Command

MAX_WORD_LENGTH = 60


class DeclinedError(RemoteError):
    """Raised when the user declines."""

    exit_status = ExitStatus.FAILED


def complete_values(command: Command, values: dict[str, Any], server: str) -> dict[str, Any]:
    """Prompt for confirmation and secrets, and return the completed values.

    :param command: the command
    :param values: values by argument name
    :param server: the server's URL, shown in the prompt
    :raises UnusableError: if a prompt is needed but there is no terminal
    :raises DeclinedError: if the user declines, or two secrets differ
    """
    if command.refused:
        # The server explains the refusal; do not ask for a password first.
        return {name: _without_secret(value) for name, value in values.items()}
    completed = dict(values)
    if _needs_confirmation(command, values):
        assert command.confirm is not None  # noqa: S101 (for the type checker)
        _confirm(command, values, server)
        completed[command.confirm.argument] = True
    for name, value in values.items():
        argument = command.argument(name)
        if argument is not None and value is Secret.PROMPT:
            completed[name] = _prompt_secret(command, argument, twice=False)
        elif argument is not None and isinstance(value, list) and Secret.PROMPT in value:
            completed[name] = [
                _prompt_secret(command, argument, twice=False) if one is Secret.PROMPT else one
                for one in value
            ]
    for ask in command.asks:
        argument = command.argument(ask.argument)
        if argument is not None and ask.argument not in values and not _any_set(ask.unless, values):
            completed[ask.argument] = _prompt_secret(command, argument, twice=True)
    return completed


def _without_secret(value: Any) -> Any:
    return True if value is Secret.PROMPT else value


def _needs_confirmation(command: Command, values: dict[str, Any]) -> bool:
    confirm = command.confirm
    if confirm is None or values.get(confirm.argument) is True or _any_set(confirm.unless, values):
        return False
    return not confirm.when or _any_set(confirm.when, values)


def _any_set(names: tuple[str, ...], values: dict[str, Any]) -> bool:
    return any(values.get(name) not in (None, False) for name in names)


def _confirm(command: Command, values: dict[str, Any], server: str) -> None:
    if not has_terminal():
        argument = command.argument(command.confirm.argument) if command.confirm else None
        flag = argument.display_name if argument is not None else "--yes"
        raise UnusableError(f"airflow {command.name} asks for confirmation: pass {flag}")
    words = [f"airflow {command.name}"]
    for argument in command.arguments:
        value = values.get(argument.name)
        if argument.positional and not argument.secret and value is not None:
            words += [str(one) for one in (value if isinstance(value, list) else [value])]
    shown = " ".join(one_line(word)[:MAX_WORD_LENGTH] for word in words)
    to_stderr(f"Run {shown} on {server}? [y/N] ")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        to_stderr("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise DeclinedError("not confirmed; nothing was done")


def _prompt_secret(command: Command, argument: Argument, twice: bool) -> str:
    """Prompt for a secret without echo.

    :param twice: ask twice, as Airflow does for a new password
    """
    if not has_terminal():
        raise UnusableError(
            f"airflow {command.name} needs a value for {argument.display_name}: "
            "there is no terminal to prompt for it"
        )
    from getpass import getpass

    label = argument.display_name.lstrip("-").replace("-", " ").capitalize()
    try:
        secret = getpass(f"{label}: ", sys.stderr)
        if twice and getpass("Repeat for confirmation: ", sys.stderr) != secret:
            raise DeclinedError("the two values differ; nothing was done")
    except EOFError:
        raise DeclinedError("no answer; nothing was done") from None
    return secret


def has_terminal() -> bool:
    """Return whether the user can be prompted."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
