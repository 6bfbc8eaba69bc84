"""The paths of commands in the API."""

from __future__ import annotations

from airflow_remote.catalog.classic import find_endpoint


def command_path(name: str, live: bool | None) -> str:
    """Return the path of a command.

    :param name: the name of the command
    :param live: whether it is a live command; None to decide by the name
    """
    if live is None and " " not in name:
        live = find_endpoint(name) is None
    return f"/api/v1.0/commands/{name.replace(' ', '/')}" if live or " " in name else f"/api/v1.0/{name}"
