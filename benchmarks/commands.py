"""Compare commands over HTTP from one client with the same local commands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from servers import DAG, compare

if TYPE_CHECKING:
    import requests
    from servers import Server

COMMANDS: tuple[tuple[str, dict[str, str], list[str]], ...] = (
    ("version", {}, ["version"]),
    ("variables", {}, ["variables", "list", "--output=json"]),
    ("pool", {}, ["pools", "list", "--output=json"]),
    ("connections", {}, ["connections", "list", "--output=json"]),
    ("list_dags", {}, ["dags", "list", "--output=json"]),
    ("list_tasks", {"dag_id": DAG}, ["tasks", "list", DAG]),
    ("pause", {"dag_id": DAG}, ["dags", "pause", "--output=json", DAG]),
    ("unpause", {"dag_id": DAG}, ["dags", "unpause", "--output=json", DAG]),
    ("trigger_dag", {"dag_id": DAG}, ["dags", "trigger", "--output=json", DAG]),
    ("dag_state", {"dag_id": DAG, "execution_date": "2024-01-01"}, ["dags", "state", DAG, "2024-01-01"]),
)
"""The endpoint, its arguments, and the same command for the local ``airflow``."""

REPETITIONS = 5
"""The number of requests for each local command; one alone is too short to measure."""


def measure(server: Server, rounds: int) -> str:
    """Measure the commands over HTTP and locally, in turns, and return a table.

    :param server: the server to measure
    :param rounds: the number of rounds, of which the median counts
    """
    session, rows = server.session(), []
    for endpoint, arguments, argv in COMMANDS:
        server.run_remotely(session, endpoint, arguments)  # teaches the fork server the command's imports
        one, two = compare_command(server, session, (endpoint, arguments, argv), rounds)
        rows.append(f"| `{' '.join(argv[:2])}` | {one * 1000:.0f} ms | {two:.2f} s | **{two / one:.0f}x** |")
        print(f"{server.version} {rows[-1]}", file=sys.stderr, flush=True)
    head = "| command | through HTTP | local `airflow` | faster by |\n|---|---|---|---|\n"
    return head + "\n".join(rows)


def compare_command(
    server: Server, session: requests.Session, command: tuple[str, dict[str, str], list[str]], rounds: int
) -> tuple[float, float]:
    """Return the median seconds of a command over HTTP, and of the same local command.

    :param command: an item of :data:`COMMANDS`
    """
    endpoint, arguments, argv = command
    remote, local = compare(
        lambda: [server.run_remotely(session, endpoint, arguments) for _ in range(REPETITIONS)],
        lambda: server.run_locally(argv),
        rounds,
    )
    return remote / REPETITIONS, local
