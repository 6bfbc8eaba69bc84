"""Compare whole runs of ``airflow-remote`` with the local ``airflow``."""

from __future__ import annotations

import os
import statistics
import subprocess
from typing import TYPE_CHECKING

from servers import DAG, ROOT, TOKEN, compare, seconds

if TYPE_CHECKING:
    from servers import Server

PROGRAM = ROOT / ".venv/client/bin/airflow-remote"
HELP_SECONDS, TIMES = 0.25, 6
"""The targets: the longest time of ``--help``, and the least speedup of a command."""

REPETITIONS = 5
"""The number of runs for each local command; one alone is too short to measure."""


def measure(server: Server, rounds: int) -> str:
    """Measure whole runs of the program, and return a table.

    :param server: the server to measure
    :param rounds: the number of rounds, of which the median counts
    """
    # Otherwise Airflow 2 accepts only one run per second.
    trigger = ["dags", "trigger", "--output=json", "--no-replace-microseconds", DAG]
    run(server, trigger)  # fills the cache, and teaches the fork server the command's imports
    help_ = statistics.median(seconds(lambda: run(server, ["--help"])) for _ in range(REPETITIONS * rounds))
    ours, theirs = compare(
        lambda: run_repeatedly(server, trigger), lambda: server.run_locally(trigger), rounds
    )
    ours /= REPETITIONS
    return (
        "| whole program | `airflow-remote` | local `airflow` | faster by | target |\n|---|---|---|---|---|\n"
        f"| `--help` | {help_ * 1000:.0f} ms | | | under {HELP_SECONDS * 1000:.0f} ms |\n"
        f"| `dags trigger` | {ours:.2f} s | {theirs:.2f} s | **{theirs / ours:.0f}x** | {TIMES}x at least |"
    )


def run_repeatedly(server: Server, argv: list[str]) -> None:
    """Run the program :data:`REPETITIONS` times."""
    for _ in range(REPETITIONS):
        run(server, argv)


def run(server: Server, argv: list[str]) -> None:
    """Run the program; it must succeed."""
    environment = {
        **os.environ,
        "AIRFLOW_REMOTE_URL": server.airflow_url,
        "AIRFLOW_REMOTE_TOKEN": TOKEN,
        "AIRFLOW_REMOTE_CACHE_DIR": str(server.home / "client-cache"),
    }
    subprocess.run(
        [str(PROGRAM), *argv], env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
