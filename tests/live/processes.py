"""What runs on this machine for one AIRFLOW_HOME.

The environment alone does not tell: who sets the title of a process overwrites what /proc shows of it. But
a server and what it starts write to its log, and a command runs in a folder of its own below the home.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def of_home(home: Path) -> list[int]:
    """The processes that work in or for this AIRFLOW_HOME, without zombies and without this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        # A process may end while it is looked at, and that of another user cannot be read.
        with contextlib.suppress(OSError):
            if not _is_zombie(folder) and _belongs_to(folder, os.fsencode(home)):
                found.append(int(folder.name))
    return sorted(found)


def _belongs_to(folder: Path, home: bytes) -> bool:
    if b"AIRFLOW_HOME=" + home in (folder / "environ").read_bytes().split(b"\0"):
        return True
    for link in ("cwd", "fd/1", "fd/2"):
        with contextlib.suppress(OSError):
            if os.fsencode((folder / link).readlink()).startswith(home + b"/"):
                return True
    return False


def commands_of(home: Path) -> list[int]:
    """The processes of commands: each works in its job's folder, and so does what it starts."""
    return [pid for pid in of_home(home) if _link(pid, "cwd").startswith(f"{home}/rest_api/jobs/")]


def of_job(home: Path, job_id: str) -> list[int]:
    """The processes of one job."""
    return [pid for pid in of_home(home) if _link(pid, "cwd").startswith(f"{home}/rest_api/jobs/{job_id}")]


def keepers_of(home: Path, kind: str) -> list[int]:
    """The processes that look after commands.

    :param kind: ``host`` or ``supervisor``
    """
    module = f"airflow_remote_server.runner.{kind}"
    found = [pid for pid in of_home(home) if module in title_of(pid)]
    # What a keeper has just forked has not set its title yet, and looks like it.
    return [pid for pid in found if parent_of(pid) not in found]


def title_of(pid: int) -> str:
    """The command line of a process, or what it made of it; "" when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    return ""


def parent_of(pid: int) -> int:
    """The parent of a process; 0 when it is gone."""
    with contextlib.suppress(OSError):
        return int(_stat(Path(f"/proc/{pid}"))[1])
    return 0


def session_of(pid: int) -> int:
    """The session of a process, named by its first one; 0 when it is gone."""
    with contextlib.suppress(OSError):
        return int(_stat(Path(f"/proc/{pid}"))[3])
    return 0


def living(pids: list[int]) -> list[int]:
    """Those of some processes that run, and are no zombies."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if not _is_zombie(Path(f"/proc/{pid}")):
                found.append(pid)
    return found


def children_of(parent: int) -> list[int]:
    """The children of a process, without zombies."""
    return _where(1, parent)


def of_group(group: int) -> list[int]:
    """The processes of a process group, without zombies."""
    return _where(2, group)


def _where(column: int, value: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if int(_stat(folder)[column]) == value and not _is_zombie(folder):
                    found.append(int(folder.name))
    return sorted(found)


def forget_peak(pid: int) -> None:
    """Let the highest memory of a process be what it is now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """The highest resident memory of a process, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


def with_connection(pids: list[int], client_port: int) -> list[int]:
    """Those of some processes that hold the other end of a TCP connection on this machine."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, *rest = line.split()
        if int(remote.rpartition(":")[2], 16) == client_port:
            wanted = f"socket:[{rest[5]}]"
            return [pid for pid in pids if wanted in _descriptors(pid)]
    return []


def _descriptors(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            found.add(_link(pid, f"fd/{entry.name}"))
    return found


def _link(pid: int, name: str) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/{name}").readlink())
    return ""


def said(pid: int) -> str:
    """What a process has written so far, if its output goes to files; "" when it is gone."""
    text = ""
    for link in ("fd/1", "fd/2"):
        path = Path(f"/proc/{pid}/{link}")
        with contextlib.suppress(OSError):
            # To read from a pipe would take from it, and wait.
            text += path.read_text(errors="replace") if path.is_file() else ""
    return text


def wait_until_gone(look: Callable[[], list[int]], seconds: float) -> list[int]:
    """Wait until there are no such processes any more; return those that are left."""
    deadline = time.monotonic() + seconds
    while left := look():
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


def end_group(group: int) -> None:
    """End a process group of ours: politely, then by force."""
    for signum, seconds in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signum)
        if not wait_until_gone(lambda: of_group(group), seconds):
            return
    raise AssertionError(f"process group {group} cannot be ended: {of_group(group)}")


def _stat(folder: Path) -> list[str]:
    # proc(5): the name, in parentheses, may hold anything; what is after it is state, ppid, pgrp, ...
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _is_zombie(folder: Path) -> bool:
    return _stat(folder)[0] == "Z"
