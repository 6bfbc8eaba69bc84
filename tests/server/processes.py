"""Find and stop the processes whose working directory is in a folder."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORK_SERVER = "airflow_remote_server.execution.fork_server_main"
COLD_SUPERVISOR = "airflow_remote_server.execution.cold_supervisor"
AGENT = "airflow_remote_server.jobs.nodes.agent"


PATIENCE = 120.0
"""Seconds after which a test gives up. Nothing takes so long, even on a busy machine."""


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until a condition returns a true value, and return the value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.02)
    return value


def find_processes(folder: Path, program: str = "") -> dict[int, str]:
    """Return the command lines of the running processes that work in a folder, by process ID.

    :param folder: their working directory, or one that contains it
    :param program: a part of their command lines
    """
    command_lines = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                cwd = (entry / "cwd").readlink()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:  # it has ended
                continue
            if (cwd == folder or folder in cwd.parents) and program in line:
                command_lines[int(entry.name)] = line
    return command_lines


def find_fork_servers(folder: Path) -> list[int]:
    """Return the fork servers of a folder, without their new children, which look the same."""
    matches = [pid for pid in find_processes(folder, FORK_SERVER) if not is_command(pid)]
    return [pid for pid in matches if parent_of(pid) not in matches]


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_command(pid: int) -> bool:
    """Return whether a process works in the folder of a job, or has ended."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink().parent.name == "jobs"
    except OSError:
        return True


def is_running(pid: int) -> bool:
    """Return whether a process runs and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, and wait until it has ended.

    :param pid: its process ID
    :param number: the signal
    """
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    wait_for(lambda: not is_running(pid))


def stop_processes(folder: Path) -> None:
    """Stop the fork servers and the agents of a folder, and check that no other process of it is left."""
    for pid in [*find_fork_servers(folder), *find_processes(folder, AGENT)]:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while remaining := find_processes(folder):
        if time.monotonic() > deadline:
            for pid in remaining:
                kill(pid)
            raise AssertionError(f"processes were left behind: {remaining}")
        time.sleep(0.02)


def children_of(pid: int) -> set[int]:
    """Return the children of a process that have not ended."""
    entries = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {entry for entry in entries if parent_of(entry) == pid}


@contextlib.contextmanager
def state_folder() -> Iterator[Path]:
    """Yield a path for a state directory, short enough for a socket, and end its processes afterwards."""
    with tempfile.TemporaryDirectory(prefix="remote-") as folder:
        yield Path(folder, "state")
        stop_processes(Path(folder))
