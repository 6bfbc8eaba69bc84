"""Commands through HTTP, one client, beside the same commands run locally."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from servers import DAG, compare

if TYPE_CHECKING:
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
"""Endpoint, its arguments, and the same command for the local ``airflow``."""

MORE = 5
"""Requests for each local command: they are short, so one alone says little."""


def measure(server: Server, rounds: int) -> str:
    """A table of the commands, both ways in turns.

    :param server: to ask
    :param rounds: to take the median of
    """
    session, rows = server.session(), []
    for endpoint, arguments, argv in COMMANDS:
        server.ask(session, endpoint, arguments)  # what a command imports, the host learns at its first run
        ours, theirs = [], []
        for _ in range(rounds):
            one, two = compare(
                lambda: [server.ask(session, endpoint, arguments) for _ in range(MORE)],  # noqa: B023 - at once
                lambda: server.run_locally(argv),  # noqa: B023
                1,
            )
            ours.append(one / MORE)
            theirs.append(two)
        ours.sort()
        theirs.sort()
        one, two = ours[rounds // 2], theirs[rounds // 2]
        rows.append(f"| `{' '.join(argv[:2])}` | {one * 1000:.0f} ms | {two:.2f} s | **{two / one:.0f}x** |")
        print(f"{server.version} {rows[-1]}", file=sys.stderr, flush=True)
    head = "| command | through HTTP | local `airflow` | faster by |\n|---|---|---|---|\n"
    return head + "\n".join(rows)
