"""What runs on this machine, told by an environment variable that only Airflow's processes of one home have."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def of_home(home: Path) -> list[int]:
    """The processes that were started with this AIRFLOW_HOME, without zombies and without this one."""
    wanted = b"AIRFLOW_HOME=" + os.fsencode(home)
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        # A process may end while it is looked at, and that of another user cannot be read.
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0") and not _is_zombie(folder):
                found.append(int(folder.name))
    return sorted(found)


def of_group(group: int) -> list[int]:
    """The processes of a process group, without zombies."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if int(_stat(folder)[2]) == group and not _is_zombie(folder):
                    found.append(int(folder.name))
    return sorted(found)


def command_line(pid: int) -> str:
    """The words of a process's command line, separated by blanks; "" when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


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
