"""Measure the memory of the fork server, of the processes that it keeps warm, and of one of its commands."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from report import Result, table
from servers import AIRFLOWS, ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from report import Effort
    from servers import Server

SAMPLES = 5
IDLE_SECONDS = 3.0
"""How long the fork server has nothing to do before its memory is read."""

FORK_SERVER = b"airflow_remote_server.execution.fork_server_main"
"""A part of a fork server's command line."""

PRINT_RSS = "print(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')).split()[1])"
"""A line of Python that prints the resident memory of its process in kB."""


def measure(server: Server, effort: Effort) -> Result:
    """Measure the fork server and its children at rest, and the peak of a child while a command runs."""
    time.sleep(IDLE_SECONDS)
    fork_servers = [pid for pid in find_processes() if is_fork_server(pid, server.home)]
    if not fork_servers:
        raise RuntimeError("no fork server is running, so there is nothing to measure")
    resident = max(read_kilobytes(f"/proc/{pid}/status", "VmRSS") for pid in fork_servers)
    shared = max(read_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss") for pid in fork_servers)
    warm = [private_of(pid) for pid in children_of(fork_servers)]
    peak = max(measure_job(fork_servers, server) for _ in range(SAMPLES))
    sizes = {
        "`import airflow.__main__`, resident": measure_import(server),
        "fork server, idle, resident": resident,
        "fork server, idle, proportional": shared,
        "a command (`dags list`), private": peak,
        f"warm processes ({len(warm)}), private, all": sum(warm),
    }
    figures = {
        "memory: host": resident / 1024,
        "memory: command": peak / 1024,
        "memory: warm": sum(warm) / 1024,
        "memory: warm processes": float(len(warm)),
    }
    rows = [[name, f"{kilobytes / 1024:.0f} MB"] for name, kilobytes in sizes.items()]
    return Result(table(["memory", ""], rows), figures)


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


def measure_job(fork_servers: list[int], server: Server) -> int:
    """Run a command, and return the peak private memory in kB of a child of the fork servers meanwhile."""
    client = server.client()
    job = client.fetch("POST", "list_dags", {}, {"Prefer": "respond-async"})["job"]["id"]
    peak, deadline = 0, time.monotonic() + 60
    while time.monotonic() < deadline:
        for _ in range(20):
            peak = max([peak, *map(private_of, children_of(fork_servers))])
        if client.fetch("GET", f"jobs/{job}")["state"] not in ("queued", "running"):
            break
    return peak


def find_processes() -> list[int]:
    """Return the IDs of all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def is_fork_server(pid: int, home: Path) -> bool:
    """Return whether a process is a fork server of an AIRFLOW_HOME, and not a child of one."""
    return all(part in command_line(pid) for part in (FORK_SERVER, os.fsencode(home))) and (
        FORK_SERVER not in command_line(parent_of(pid))
    )


def command_line(pid: int) -> bytes:
    """Return the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def children_of(pids: Iterable[int]) -> list[int]:
    """Return the children of some processes, and theirs."""
    parents, found = set(pids), []
    pairs = sorted((pid, parent_of(pid)) for pid in find_processes())
    for pid, parent in pairs:  # a child has the greater number, except after an overflow
        if parent in parents:
            parents.add(pid)
            found.append(pid)
    return found


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def private_of(pid: int) -> int:
    """Return the private memory of a process in kB; 0 if it has ended."""
    return read_kilobytes(f"/proc/{pid}/smaps_rollup", "Private_Clean", "Private_Dirty")


def read_kilobytes(path: str, *names: str) -> int:
    """Return the sum of some lines of a file in /proc; 0 if the process has ended."""
    try:
        text = Path(path).read_text()
    except OSError:
        return 0
    return sum(
        int(number) for name in names for number in re.findall(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    )
