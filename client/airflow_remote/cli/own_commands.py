"""Names, summaries and modules of the client's own commands."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from airflow_remote.catalog.classic import normalize

if TYPE_CHECKING:
    import click

JOB = "job"

JOB_SUMMARY = "List jobs on the server; show, follow, wait for or stop a job"
"""Every command runs as a job. ``job`` is not an endpoint: it manages the jobs that endpoints started."""

BATCH = "batch"
BATCH_SUMMARY = "Run the commands of a file in one request"

TOKEN = "token"  # noqa: S105 (a name)
ACCESS = {
    "audit": "Show the server's audit log",
    "can-i": "Check whether the token may run a command",
    TOKEN: "Create a token for the server's tokens file",
    "whoami": "Show the token's identity and permissions",
}
"""Commands for access and tokens; not endpoints either."""

RUNS = {
    "runs": "List DAG runs; show or watch one, or find out why it failed or waits",
    "logs": "Print the logs of a DAG run's tasks",
    "deploy": "Deploy a DAG file, and optionally trigger it and follow the run",
    "open": "Open Airflow's page of a DAG or a DAG run in the browser",
}
"""Commands for DAG runs. ``runs`` is also an endpoint, which has options only."""

MODULES = {
    JOB: "jobs",
    BATCH: "batch",
    **dict.fromkeys(ACCESS, "access"),
    "runs": "runs",
    "logs": "logs",
    "deploy": "deploy",
    "open": "open_page",
}
"""The module of each command, which has a mapping ``COMMANDS``. It is imported when the command is used."""

OWN = {normalize(name): name for name in MODULES}
"""All of the client's own commands, by their normalized names."""


def find_own(word: str) -> click.Command | None:
    """Return the client's own command with a name; None if there is none.

    :param word: the name, with ``-`` or ``_``
    """
    name = OWN.get(normalize(word))
    if name is None:
        return None
    command: click.Command = import_module(f"airflow_remote.cli.{MODULES[name]}").COMMANDS[name]
    return command
