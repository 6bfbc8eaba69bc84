"""Find the processes on this machine that work for one AIRFLOW_HOME.

The environment alone is not enough: setting a process title overwrites what /proc shows of it. But a server
and its children write to its log, and a command runs in its own folder below the home.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def processes_of_home(home: Path) -> list[int]:
    """Return the processes that work for an AIRFLOW_HOME, without zombies and this process."""
    matches = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        # A process may end during the inspection, and other users' processes cannot be read.
        with contextlib.suppress(OSError):
            if not _is_zombie(folder) and _belongs_to(folder, os.fsencode(home)):
                matches.append(int(folder.name))
    return sorted(matches)


def _belongs_to(folder: Path, home: bytes) -> bool:
    if b"AIRFLOW_HOME=" + home in (folder / "environ").read_bytes().split(b"\0"):
        return True
    for link in ("cwd", "fd/1", "fd/2"):
        with contextlib.suppress(OSError):
            if os.fsencode((folder / link).readlink()).startswith(home + b"/"):
                return True
    return False


def processes_of_commands(home: Path) -> list[int]:
    """Return the processes of commands: they and their children work in the job's folder."""
    return [pid for pid in processes_of_home(home) if _link(pid, "cwd").startswith(f"{home}/rest_api/jobs/")]


def processes_of_job(home: Path, job_id: str) -> list[int]:
    """Return the processes of a job."""
    return [
        pid
        for pid in processes_of_home(home)
        if _link(pid, "cwd").startswith(f"{home}/rest_api/jobs/{job_id}")
    ]


def supervisors_of(home: Path, kind: str) -> list[int]:
    """Return the processes that supervise commands.

    :param kind: ``fork_server`` or ``cold_supervisor``
    """
    module = f"airflow_remote_server.execution.{kind}"
    matches = [pid for pid in processes_of_home(home) if module in title_of(pid)]
    # A process that a supervisor has just forked looks like it until it sets its title.
    return [pid for pid in matches if parent_of(pid) not in matches]


def title_of(pid: int) -> str:
    """Return the command line, or the title, of a process; "" if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    return ""


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 if it has ended."""
    with contextlib.suppress(OSError):
        return int(_stat(Path(f"/proc/{pid}"))[1])
    return 0


def session_of(pid: int) -> int:
    """Return the session ID of a process; 0 if it has ended."""
    with contextlib.suppress(OSError):
        return int(_stat(Path(f"/proc/{pid}"))[3])
    return 0


def select_running(pids: list[int]) -> list[int]:
    """Select the processes that run and are not zombies."""
    matches = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if not _is_zombie(Path(f"/proc/{pid}")):
                matches.append(pid)
    return matches


def children_of(parent: int) -> list[int]:
    """Return the children of a process, without zombies."""
    return _where(1, parent)


def processes_of_group(group: int) -> list[int]:
    """Return the processes of a process group, without zombies."""
    return _where(2, group)


def _where(column: int, value: int) -> list[int]:
    matches = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if int(_stat(folder)[column]) == value and not _is_zombie(folder):
                    matches.append(int(folder.name))
    return sorted(matches)


def reset_peak_memory(pid: int) -> None:
    """Reset the peak memory of a process to its current memory; see clear_refs in proc(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_memory(pid: int) -> int:
    """Return the peak resident memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


def holders_of_connection(pids: list[int], client_port: int) -> list[int]:
    """Select the processes that hold the other end of a local TCP connection."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, *rest = line.split()
        if int(remote.rpartition(":")[2], 16) == client_port:
            link = f"socket:[{rest[5]}]"
            return [pid for pid in pids if link in _descriptors(pid)]
    return []


def _descriptors(pid: int) -> set[str]:
    matches = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            matches.add(_link(pid, f"fd/{entry.name}"))
    return matches


def _link(pid: int, name: str) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/{name}").readlink())
    return ""


def read_output_files(pid: int) -> str:
    """Return the output of a process so far, if it goes to files; "" if it has ended."""
    text = ""
    for link in ("fd/1", "fd/2"):
        path = Path(f"/proc/{pid}/{link}")
        with contextlib.suppress(OSError):
            # Reading from a pipe would consume its data, and block.
            text += path.read_text(errors="replace") if path.is_file() else ""
    return text


def wait_until_gone(look: Callable[[], list[int]], seconds: float) -> list[int]:
    """Wait until the processes have ended; return those that are left."""
    deadline = time.monotonic() + seconds
    while left := look():
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


def end_group(group: int) -> None:
    """Stop a process group: with SIGTERM, then with SIGKILL."""
    for signum, seconds in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 60.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signum)
        if not wait_until_gone(lambda: processes_of_group(group), seconds):
            return
    raise AssertionError(f"process group {group} cannot be ended: {processes_of_group(group)}")


def _stat(folder: Path) -> list[str]:
    # proc(5): the name in parentheses may hold anything; state, ppid, pgrp, ... follow it.
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _is_zombie(folder: Path) -> bool:
    return _stat(folder)[0] == "Z"
