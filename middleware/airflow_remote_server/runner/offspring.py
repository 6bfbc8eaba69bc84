"""What commands leave behind, wherever it has gone: found by who is whose parent.

A process that makes a session of its own has left its command's process group. But when the parent of a
process ends, Linux gives it to the nearest ancestor that asked for that (prctl(2), PR_SET_CHILD_SUBREAPER),
and commands and keepers do. So, as long as a command runs, all that came of it is below it; then it is the
keeper's, as a child that no keeper knows. Where there is no such call, process groups have to do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.runner.locks import start_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""

LISTED = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110 - proc(5)
"""Whether the kernel lists the children of a process; otherwise each process is asked for its parent."""

PASSES = 20
"""How often processes are looked for that were started while others were being killed."""


def _find_prctl() -> Callable[..., int] | None:
    try:
        import ctypes

        found: Callable[..., int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return found


PRCTL = _find_prctl()
"""Found before any fork."""


def gather_orphans() -> bool:
    """Be given the orphans among the descendants of this process; what is forked does not inherit that.

    :returns: False where the system has no such thing
    """
    return PRCTL is not None and PRCTL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def children(pid: int) -> set[int]:
    """The children of a process, zombies included; none where it is no more, or there is no /proc."""
    found: set[int] = set()
    if not LISTED:
        with contextlib.suppress(OSError):
            found.update(other for other in _processes() if _parent(other) == pid)
        return found
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - at every step of a keeper
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123 - as above
                found.update(map(int, file.read().split()))
    return found


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def descendants(*pids: int) -> dict[int, str]:
    """Living descendants of processes, with when each began (``locks.start_ticks``)."""
    found: dict[int, str] = {}
    waiting = list(pids)
    while waiting:
        for child in children(waiting.pop()) - found.keys():
            found[child] = start_ticks(child)
            waiting.append(child)
    return {pid: ticks for pid, ticks in found.items() if ticks}


def kill(pid: int) -> bool:
    """Kill a process.

    :returns: False when it is another user's, as what a task with run_as_user starts may be
    """
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def kill_known(known: dict[int, str]) -> None:
    """Kill processes that are not our children, and what is below them by now.

    :param known: when each began, by its id: an id alone may be another one's by now
    """
    for _ in range(PASSES):
        living = [pid for pid, ticks in known.items() if start_ticks(pid) == ticks]
        if not living:
            return
        known = {**known, **descendants(*living)}
        for pid, ticks in known.items():
            if start_ticks(pid) == ticks:
                kill(pid)
        time.sleep(0.001)


class Offspring:
    """The children of a keeper, which is this process. Those that are there already may stay."""

    def __init__(self) -> None:
        gather_orphans()
        self._mine = os.getpid()
        self._spared = {pid: start_ticks(pid) for pid in children(self._mine)}
        self.left = False
        """Whether some that were killed have not ended yet."""

    def _strangers(self, known: Collection[int]) -> set[int]:
        self._spared = {pid: ticks for pid, ticks in self._spared.items() if start_ticks(pid) == ticks}
        return children(self._mine) - self._spared.keys() - set(known)

    def spare(self, known: Collection[int]) -> None:
        """Let those that are there now stay, whoever started them, and what is below them: a daemon's parent
        may not have ended yet.

        :param known: the keeper's commands
        """
        strangers = self._strangers(known)
        self._spared.update({pid: start_ticks(pid) for pid in strangers})
        self._spared.update(descendants(*strangers))

    def reap(self, known: Collection[int]) -> None:
        """Forget the ones that have ended by themselves.

        :param known: the keeper's commands
        """
        for pid in self._strangers(known):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def end(self, known: Collection[int]) -> None:
        """Kill all but the known ones. What they leave behind becomes the keeper's, and is killed as well.

        :param known: the keeper's commands
        """
        while strangers := self._strangers(known):
            mortal = [pid for pid in strangers if kill(pid)]
            self.left = bool(mortal)
            self.reap(known)
            if self._strangers(known) >= strangers:
                return  # SIGCHLD tells when to come again
        self.left = False
