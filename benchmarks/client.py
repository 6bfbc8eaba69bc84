"""The whole of ``airflow-remote``, from its start to its end, beside the local ``airflow``."""

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
"""What the two are meant to stay below, and above."""

MORE = 5
"""Starts for each local command: they are short, so one alone says little."""


def measure(server: Server, rounds: int) -> str:
    """A table of whole runs of the program.

    :param server: to ask
    :param rounds: to take the median of
    """
    # Airflow 2 takes one run a second otherwise.
    trigger = ["dags", "trigger", "--output=json", "--no-replace-microseconds", DAG]
    run(server, trigger)  # what a command imports, the host learns at its first run; and the cache is filled
    help_ = statistics.median(seconds(lambda: run(server, ["--help"])) for _ in range(MORE * rounds))
    ours, theirs = compare(
        lambda: [run(server, trigger) for _ in range(MORE)], lambda: server.run_locally(trigger), rounds
    )
    ours /= MORE
    return (
        "| whole program | `airflow-remote` | local `airflow` | faster by | meant |\n|---|---|---|---|---|\n"
        f"| `--help` | {help_ * 1000:.0f} ms | | | under {HELP_SECONDS * 1000:.0f} ms |\n"
        f"| `dags trigger` | {ours:.2f} s | {theirs:.2f} s | **{theirs / ours:.0f}x** | {TIMES}x at least |"
    )


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
