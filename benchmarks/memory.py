"""Measure the memory of the fork server and of one of its commands."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from servers import AIRFLOWS, ENVIRONMENT

if TYPE_CHECKING:
    from servers import Server

SAMPLES = 5

FORK_SERVER = b"airflow_remote_server.execution.fork_server_main"
"""A part of a fork server's command line."""

PRINT_RSS = "print(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')).split()[1])"
"""A line of Python that prints the resident memory of its process in kB."""


def measure(server: Server) -> str:
    """Return a table of the fork server's resident memory and a command's peak private memory."""
    fork_servers = [pid for pid in find_processes() if is_fork_server(pid, server.home)]
    if not fork_servers:
        raise SystemExit(
            f"Airflow {server.version}: no fork server is running, so there is nothing to measure"
        )
    resident = max(read_kilobytes(f"/proc/{pid}/status", "VmRSS") for pid in fork_servers)
    session, private = server.session(), 0
    for _ in range(SAMPLES):
        answer = session.post(
            f"{server.url}api/v1.0/list_dags", headers={"Prefer": "respond-async"}, timeout=60
        ).json()
        url = f"{server.url}api/v1.0/jobs/{answer['job']['id']}"
        private = max(private, measure_job(fork_servers, url, server))
    return (
        "| only `import airflow.__main__` | fork server, resident | a command (`dags list`), private |\n"
        "|---|---|---|\n"
        f"| {measure_import(server) / 1024:.0f} MB | {resident / 1024:.0f} MB | {private / 1024:.0f} MB |"
    )


def measure_import(server: Server) -> int:
    """Return the memory in kB of a process that has only imported Airflow's command line."""
    completed = subprocess.run(
        [str(AIRFLOWS[server.version]), "-c", f"import airflow.__main__\n{PRINT_RSS}"],
        env={**os.environ, **ENVIRONMENT, "AIRFLOW_HOME": str(server.home)},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(completed.stdout.split()[-1])


def measure_job(fork_servers: list[int], url: str, server: Server) -> int:
    """Wait until a job ends, and return the peak private memory in kB of the fork servers' children.

    :param fork_servers: the fork servers' process IDs
    :param url: the URL of the job
    """
    peak, session, deadline = 0, server.session(), time.monotonic() + 60
    while time.monotonic() < deadline:
        for _ in range(200):
            for pid in find_processes():
                if parent_of(pid) in fork_servers:
                    memory = read_kilobytes(f"/proc/{pid}/smaps_rollup", "Private_Clean", "Private_Dirty")
                    peak = max(peak, memory)
        if session.get(url, timeout=60).json()["state"] not in ("queued", "running"):
            break
    return peak


def find_processes() -> list[int]:
    """Return the IDs of all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def is_fork_server(pid: int, home: Path) -> bool:
    """Return whether a process is a fork server of an AIRFLOW_HOME."""
    try:
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False
    return FORK_SERVER in command_line and os.fsencode(home) in command_line


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def read_kilobytes(path: str, *names: str) -> int:
    """Return the sum of some lines of a file in /proc; 0 if the process has ended."""
    try:
        text = Path(path).read_text()
    except OSError:
        return 0
    return sum(
        int(number) for name in names for number in re.findall(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    )
