"""The processes of a folder: those whose working directory is in it, as all of a state directory have."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "airflow_remote_server.runner.host"
SUPERVISOR = "airflow_remote_server.runner.supervisor"


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return found


def below(folder: Path, program: str = "") -> dict[int, str]:
    """Living processes of a folder, with their command lines.

    :param folder: or any folder in it
    :param program: a part of their command lines
    """
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                there = (entry / "cwd").readlink()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:  # it is no more
                continue
            if (there == folder or folder in there.parents) and program in line:
                found[int(entry.name)] = line
    return found


def hosts(folder: Path) -> list[int]:
    """The warm hosts of a folder. What a host has just forked looks like it."""
    found = [pid for pid in below(folder, HOST) if not pid_is_command(pid)]
    return [pid for pid in found if parent(pid) not in found]


def parent(pid: int) -> int:
    """The parent of a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def pid_is_command(pid: int) -> bool:
    """Whether a process stands in a job's folder."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink().parent.name == "jobs"
    except OSError:
        return True


def alive(pid: int) -> bool:
    """Whether a process runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Kill a process, and see that it is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    wait_for(lambda: not alive(pid))


def end_all(folder: Path) -> None:
    """End the hosts of a folder, and see that nothing else runs there then."""
    for pid in hosts(folder):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while left := below(folder):
        if time.monotonic() > deadline:
            for pid in left:
                kill(pid)
            raise AssertionError(f"these were left behind: {left}")
        time.sleep(0.02)
