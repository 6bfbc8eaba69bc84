"""The keeper of commands: forks a process for each, holds it to its limits, and writes down its end.

The warm host is one, and so is the supervisor of a command that runs cold. It has one thread and no database
connection whenever it forks. A keeper that is killed leaves its commands running: the next one adopts them.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from airflow_remote_server.runner.folder import (
    EXIT,
    KEEPER,
    PROCESS,
    RESULT,
    Folder,
)
from airflow_remote_server.runner.fork import become_command, leave_keeper
from airflow_remote_server.runner.kept import Kept
from airflow_remote_server.runner.locks import start_ticks
from airflow_remote_server.runner.offspring import Offspring, kill_known

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.runner.locks import Slots

LOOK_SECONDS = 0.1
"""How often running commands are held against their limits, and asked whether they shall stop."""

IDLE_SECONDS = 2.0
"""How often a keeper looks around when nothing runs."""


class Closable(Protocol):
    """What can be waited for, and closed."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


def nobody(_: dict[str, Any]) -> None:
    """Tell nobody."""


class Keeper:
    """Keeps commands, in the order in which they come.

    :param slots: how many may run at once
    :param lock: the lock file that says that this keeper lives, and its descriptor
    """

    def __init__(self, slots: Slots, lock: tuple[str, int]) -> None:
        self.slots = slots
        path, self.lock = lock
        pid = os.getpid()
        self.sign = {"lock": path, "pid": pid, "ticks": start_ticks(pid), "host": socket.gethostname()}
        self.queue: deque[Kept] = deque()
        self.running: dict[int, Kept] = {}
        self.unwritten: list[Kept] = []
        self.open: list[Closable] = []
        self.offspring = Offspring()
        self.selector = selectors.DefaultSelector()
        self.wake, self.wake_end = socket.socketpair()
        for end in (self.wake, self.wake_end):
            end.setblocking(False)
        self.watch(self.wake, self._drain)
        signal.set_wakeup_fd(self.wake_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def watch(self, source: Closable, ready: Callable[[], object]) -> None:
        """Call a function whenever something can be read; the source is closed in children."""
        self.open.append(source)
        self.selector.register(source, selectors.EVENT_READ, ready)

    def unwatch(self, source: Closable) -> None:
        """Undo ``watch``, and close the source."""
        with contextlib.suppress(ValueError):
            self.open.remove(source)
            self.selector.unregister(source)
        source.close()

    def keep(self, folder: Folder, tell: Callable[[dict[str, Any]], None] = nobody) -> None:
        """Take a command: run it as soon as there is a slot, or adopt its process when it has one.

        :param folder: from ``Folder.fill``
        :param tell: called with its end
        :raises OSError: when the folder cannot be written to
        :raises ValueError: when it is none of ours
        """
        if folder.has(EXIT) or folder.kept():
            raise ValueError(f"somebody has {folder.path} already")
        kept = Kept(folder, folder.limits(), tell, daemon=folder.wants_daemon())
        folder.write(KEEPER, self.sign)
        self.queue.append(kept)

    def adopt(self, folder: Folder) -> None:
        """Take over a command from a keeper that is no more.

        :param folder: its folder
        :raises OSError: when the folder cannot be written to
        :raises ValueError: when it is none of ours
        """
        process = folder.read(PROCESS)
        if not isinstance(process, dict):
            self.keep(folder)  # it does not run yet, or never will
            return
        pid, ticks = int(process["pid"]), str(process["ticks"])
        kept = Kept(folder, folder.limits(), nobody, pid=pid, ticks=ticks, daemon=folder.wants_daemon())
        folder.write(KEEPER, self.sign)
        if not kept.service:
            kept.slot = self.slots.take()  # it ran before, so it runs on also when there is none
            kept.set_deadline(ran=time.time() - float(process["began"]))
        self.running[kept.pid] = kept

    @property
    def busy(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self.queue or self.running or self.unwritten or self.offspring.left)

    @property
    def ours(self) -> set[int]:
        """The children that are commands, or will be."""
        return set(self.running)

    def step(self) -> None:
        """Wait for something to happen, at most until the next look, and do what is to be done."""
        pause = LOOK_SECONDS if self.busy else IDLE_SECONDS
        for key, _ in self.selector.select(pause):
            key.data()
        self._reap()
        self._look()
        self.start_queued()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.wake.recv(4096)

    def start_queued(self) -> None:
        """Run what waits, as far as there are slots."""
        while self.queue:
            kept = self.queue[0]
            kept.slot = None if kept.service else self.slots.take()
            if kept.slot is None and not kept.service:
                return
            self.queue.popleft()
            if kept.folder.claim():
                self._fork(kept)
            elif kept.folder.has(PROCESS):
                kept.free()
                self.adopt(kept.folder)
            else:
                self._ended(kept, None)  # who claimed it is no more, and never came to run it

    def spawn(self, kept: Kept) -> int:
        """Start the process of a command that was claimed.

        :returns: its id
        :raises OSError: when there can be no more processes
        """
        pid = os.fork()
        if pid == 0:
            try:
                self.leave_to_child()
                if kept.slot is not None:
                    os.close(kept.slot)
                leave_keeper(kept.service)
            finally:
                become_command(kept.folder)
        return pid

    def _fork(self, kept: Kept) -> None:
        try:
            kept.pid = self.spawn(kept)
        except OSError:
            self._ended(kept, None)
            return
        kept.set_deadline()
        self.running[kept.pid] = kept

    def leave_to_child(self) -> None:
        """In a child: close what is the keeper's, and forget its signal handlers."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        for source in (*self.open, self.wake_end):
            source.close()
        os.close(self.lock)
        for kept in self.running.values():
            if kept.slot is not None:
                os.close(kept.slot)

    def _reap(self) -> None:
        """Note the end of commands, and kill what they left behind."""
        for pid, kept in list(self.running.items()):
            if kept.ticks:
                if not kept.lives:
                    self._bury_adopted(kept)
                continue
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                continue
            goes_on = kept.daemon and (found.si_code, found.si_status) == (os.CLD_EXITED, 0)
            if not goes_on:
                kept.signal(signal.SIGKILL)  # not reaped yet, so the number is still its own
            _, status = os.waitpid(pid, 0)
            del self.running[pid]
            if goes_on:
                self.offspring.spare(self.ours)
            self._tidy()
            self._ended(kept, os.waitstatus_to_exitcode(status))
        self._tidy()

    def _tidy(self) -> None:
        """Kill what is a child and no command; a service that runs may want its orphans."""
        if any(kept.service and not kept.ticks for kept in self.running.values()):
            self.offspring.reap(self.ours)
        else:
            self.offspring.end(self.ours)

    def _bury_adopted(self, kept: Kept) -> None:
        """Note the end of a command that is not our child: nor is what it left behind."""
        del self.running[kept.pid]
        if not kept.daemon or kept.reason:
            if not start_ticks(kept.pid):  # or the number is another one's by now
                kept.signal(signal.SIGKILL)
            kill_known(kept.descendants)
        self._ended(kept, None)

    def _ended(self, kept: Kept, exit_code: int | None) -> None:
        """Write down an end.

        :param exit_code: None when it is not known: it was not our child, or never ran
        """
        kept.free()
        result = kept.folder.read(RESULT)
        if exit_code is None and isinstance(result, dict):
            exit_code = result.get("exit_code")
        if exit_code == 0 and isinstance(result, dict) and not kept.service:
            kept.reason = ""  # it was done before it could be stopped; a service ends so when it is
        elif exit_code is None and not kept.reason:
            kept.reason = "lost"
        if kept.over and not kept.service:
            kept.reason = "output"
            kept.cut()
        kept.end = {"exit_code": exit_code, "reason": kept.reason, "ended": time.time()}
        self.unwritten.append(kept)
        self._write()
        self.on_end(kept)
        kept.tell(kept.end)

    def on_end(self, kept: Kept) -> None:
        """Called when a command has ended."""

    def _write(self) -> None:
        """Write down ends; what cannot be written now, as on a full disk, is tried again."""
        waiting, self.unwritten = self.unwritten, []
        for kept in waiting:
            try:
                kept.folder.write(EXIT, kept.end)
            except OSError:
                if kept.folder.path.exists():
                    self.unwritten.append(kept)
            else:
                kept.folder.clear()

    def _look(self) -> None:
        """Hold commands to their limits."""
        self._write()
        for kept in list(self.queue):
            if kept.folder.stop_wanted() and kept.folder.claim():
                self.queue.remove(kept)
                kept.reason = "stopped"
                self._ended(kept, None)
        for kept in self.running.values():
            kept.hold()
