"""The measured commands, with their equivalents in Airflow's own REST API and the local ``airflow``."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from report import Result, milliseconds, table
from servers import DAG, compare, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from report import Effort
    from servers import Client, Server


@dataclass(frozen=True)
class Request:
    """A request to Airflow's own REST API.

    :param method: the HTTP method
    :param path: the path
    :param body: JSON; None for no body
    """

    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Command:
    """A command in the ways that it can be run.

    :param title: its name
    :param endpoint: its endpoint in this API
    :param arguments: the arguments of the endpoint
    :param rest: the equivalent request to Airflow's own REST API; None if there is none
    :param argv: the same command for the local ``airflow``; empty if there is none
    :param method: the HTTP method of the endpoint
    """

    title: str
    endpoint: str
    arguments: dict[str, str] | None = None
    rest: Request | None = None
    argv: tuple[str, ...] = ()
    method: str = "POST"

    def send(self, client: Client) -> None:
        """Run it through this API."""
        client.send(self.method, self.endpoint, self.arguments)


OF_DAG = {"dag_id": DAG}
COMMANDS = (
    Command("version", "version", rest=Request("GET", "version"), argv=("version",)),
    Command("whoami", "whoami", method="GET"),
    *(
        Command(f"{name} list", endpoint, {}, Request("GET", name), (name, "list", "--output=json"))
        for name, endpoint in (
            ("variables", "variables"),
            ("pools", "pool"),
            ("connections", "connections"),
            ("dags", "list_dags"),
        )
    ),
    Command("tasks list", "list_tasks", OF_DAG, Request("GET", f"dags/{DAG}/tasks"), ("tasks", "list", DAG)),
    Command(
        "dags trigger",
        "trigger_dag",
        OF_DAG,
        Request("POST", f"dags/{DAG}/dagRuns", {}),
        ("dags", "trigger", "--output=json", DAG),
    ),
    *(
        Command(
            f"dags {name}",
            name,
            OF_DAG,
            Request("PATCH", f"dags/{DAG}", {"is_paused": name == "pause"}),
            ("dags", name, "--output=json", DAG),
        )
        for name in ("pause", "unpause")
    ),
)

WARM_UP = 3
"""Requests to each side before the first that counts: the fork server learns the imports of the command."""


def send_rest(server: Server, client: Client, command: Command) -> None:
    """Send the equivalent request to Airflow's own REST API."""
    assert command.rest is not None  # noqa: S101 - a bug of the benchmark
    body = command.rest.body
    if command.title == "dags trigger" and server.major == 3:
        body = {"logical_date": None}
    client.send(command.rest.method, command.rest.path, body)


def measure(server: Server, effort: Effort) -> Result:
    """Compare the commands with the REST API, in turns, and with the local commands."""
    rows, figures = [], {}
    client, rest = server.client(), server.rest_client()
    for command in COMMANDS:
        ours, theirs = partial(command.send, client), partial(send_rest, server, rest, command)
        sides: list[Callable[[], None]] = [ours] if command.rest is None else [ours, theirs]
        for side in sides * WARM_UP:
            side()
        one, two = compare(ours, sides[-1], effort.requests)
        row = [f"`{command.title}`", milliseconds(one), "", ""]
        figures[f"{command.title}: here"] = one
        if command.rest is not None:
            row[2:] = [milliseconds(two), f"**{one / two:.1f}**"]
            figures[f"{command.title}: REST"] = two
        if effort.local:
            row += ["", ""]
            if command.argv:
                run = partial(server.run_locally, list(command.argv))
                local = statistics.median(seconds(run) for _ in range(effort.local))
                row[4:] = [f"{local:.2f} s", f"{local / one:.0f}x"]
                figures[f"{command.title}: local"] = local
        rows.append(row)
        print(server.version, *row, sep=" | ", file=sys.stderr, flush=True)
    head = ["one client", "this API", "REST API", "ratio"]
    return Result(table(head + (["local `airflow`", "faster by"] if effort.local else []), rows), figures)
