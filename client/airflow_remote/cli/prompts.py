"""Show locally the prompts that a command would show on the server: confirmations and secrets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_remote.cli.confirmation import DeclinedError, any_set, confirm, has_terminal, is_asked
from airflow_remote.cli.parser import Secret
from airflow_remote.errors import UnusableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote.catalog.models import Argument, Command
    from airflow_remote.client import Client


def complete_values(
    command: Command, values: dict[str, Any], line: Sequence[str], client: Client, server: str
) -> dict[str, Any]:
    """Prompt for confirmation and secrets, and return the completed values.

    :param command: the command
    :param values: values by argument name
    :param line: the words of the command line, after the command
    :param client: fetches what a command asks
    :param server: the server's URL, shown in the prompt
    :raises UnusableError: if a prompt is needed but there is no terminal
    :raises DeclinedError: if the user declines, or two secrets differ
    :raises RemoteError: if the server rejects the command
    """
    if command.refused:
        # The server explains the refusal; do not ask for a password first.
        return {name: _without_secret(value) for name, value in values.items()}
    completed = dict(values)
    if command.confirm is not None and is_asked(command, values):
        flag = command.confirm.argument

        def fetch_question() -> str:
            return client.run(command.name, {**values, flag: False}, live=True).stdout or ""

        confirm(command, values, line, server, fetch_question)
        completed[flag] = True
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
        if argument is not None and ask.argument not in values and not any_set(ask.unless, values):
            completed[ask.argument] = _prompt_secret(command, argument, twice=True)
    return completed


def _without_secret(value: Any) -> Any:
    return True if value is Secret.PROMPT else value


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
