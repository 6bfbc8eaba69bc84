"""What the warm host and one of its commands keep in memory."""

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
SELF = "print(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')).split()[1])"
"""A line of Python that tells its process's resident memory in kB."""


def measure(server: Server) -> str:
    """The host's resident memory, and the private memory of a command that is about to end."""
    hosts = [
        pid
        for pid in processes()
        if b"runner.host" in command_line(pid) and str(server.home).encode() in command_line(pid)
    ]
    resident = max(kilobytes(f"/proc/{pid}/status", "VmRSS") for pid in hosts)
    session, private = server.session(), 0
    for _ in range(SAMPLES):
        answer = session.post(
            f"{server.url}api/v1.0/list_dags", headers={"Prefer": "respond-async"}, timeout=60
        ).json()
        private = max(private, watch(hosts, f"{server.url}api/v1.0/jobs/{answer['job']['id']}", server))
    return (
        "| only `import airflow.__main__` | warm host, resident | a command (`dags list`), private |\n"
        "|---|---|---|\n"
        f"| {bare(server) / 1024:.0f} MB | {resident / 1024:.0f} MB | {private / 1024:.0f} MB |"
    )


def bare(server: Server) -> int:
    """What a process has, in kB, that has imported Airflow's command line and done nothing else."""
    done = subprocess.run(
        [str(AIRFLOWS[server.version]), "-c", f"import airflow.__main__\n{SELF}"],
        env={**os.environ, **ENVIRONMENT, "AIRFLOW_HOME": str(server.home)},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1])


def watch(hosts: list[int], url: str, server: Server) -> int:
    """The most private memory, in kB, that a child of the host has until its job ends."""
    most, session, deadline = 0, server.session(), time.monotonic() + 60
    while time.monotonic() < deadline:
        for _ in range(200):
            for pid in processes():
                if parent(pid) in hosts:
                    most = max(most, kilobytes(f"/proc/{pid}/smaps_rollup", "Private_Clean", "Private_Dirty"))
        if session.get(url, timeout=60).json()["state"] not in ("queued", "running"):
            break
    return most


def processes() -> list[int]:
    """Ids of all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def command_line(pid: int) -> bytes:
    """A process's command line; b"" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def parent(pid: int) -> int:
    """A process's parent; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kilobytes(path: str, *names: str) -> int:
    """The sum of lines of a file in /proc; 0 when it is gone."""
    try:
        text = Path(path).read_text()
    except OSError:
        return 0
    return sum(
        int(number) for name in names for number in re.findall(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    )
