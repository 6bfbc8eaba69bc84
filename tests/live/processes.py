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


def of_group(group: int) -> list[int]:
    """The processes of a process group, without zombies."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if int(_stat(folder)[2]) == group and not _is_zombie(folder):
                    found.append(int(folder.name))
    return sorted(found)


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
