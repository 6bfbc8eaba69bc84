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
    STREAMS,
    Folder,
)
from airflow_remote_server.runner.fork import become_command, leave_keeper
from airflow_remote_server.runner.kept import Kept
from airflow_remote_server.runner.locks import start_ticks

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
        kept = Kept(folder, folder.limits(), tell)
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
        kept = Kept(folder, folder.limits(), nobody, pid=int(process["pid"]), ticks=str(process["ticks"]))
        folder.write(KEEPER, self.sign)
        if kept.limits.run_seconds is not None:
            kept.slot = self.slots.take()  # it ran before, so it runs on also when there is none
            ran = time.time() - float(process["began"])
            kept.deadline = time.monotonic() + kept.limits.run_seconds - ran
        self.running[kept.pid] = kept

    @property
    def busy(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self.queue or self.running or self.unwritten)

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
            service = kept.limits.run_seconds is None
            kept.slot = None if service else self.slots.take()
            if kept.slot is None and not service:
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
                leave_keeper()
            finally:
                become_command(kept.folder)
        return pid

    def _fork(self, kept: Kept) -> None:
        try:
            kept.pid = self.spawn(kept)
        except OSError:
            self._ended(kept, None)
            return
        if kept.limits.run_seconds is not None:
            kept.deadline = time.monotonic() + kept.limits.run_seconds
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
        """Note the end of children, and kill what they left behind in their process groups."""
        for pid, kept in list(self.running.items()):
            if kept.ticks:
                if not kept.lives:
                    del self.running[pid]
                    if not start_ticks(pid):  # or the number is another one's by now
                        kept.signal(signal.SIGKILL)
                    self._ended(kept, None)
                continue
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            kept.signal(signal.SIGKILL)  # not reaped yet, so the number is still its own
            _, status = os.waitpid(pid, 0)
            del self.running[pid]
            self._ended(kept, os.waitstatus_to_exitcode(status))

    def _ended(self, kept: Kept, exit_code: int | None) -> None:
        """Write down an end.

        :param exit_code: None when it is not known: it was not our child, or never ran
        """
        kept.free()
        result = kept.folder.read(RESULT)
        if exit_code is None and isinstance(result, dict):
            exit_code = result.get("exit_code")
        service = kept.limits.run_seconds is None
        if exit_code == 0 and isinstance(result, dict) and not service:
            kept.reason = ""  # it was done before it could be stopped; a service ends so when it is
        elif exit_code is None and not kept.reason:
            kept.reason = "lost"
        over = kept.folder.written() > kept.limits.output_bytes
        if over and kept.limits.run_seconds is not None:
            kept.reason = "output"
            self._cut(kept)
        kept.end = {"exit_code": exit_code, "reason": kept.reason, "ended": time.time()}
        self.unwritten.append(kept)
        self._write()
        self.on_end(kept)
        kept.tell(kept.end)

    def on_end(self, kept: Kept) -> None:
        """Called when a command has ended."""

    def _cut(self, kept: Kept) -> None:
        for stream in STREAMS:
            if kept.folder.size(stream) > kept.limits.output_bytes:
                with contextlib.suppress(OSError):
                    os.truncate(kept.folder.path / stream, kept.limits.output_bytes)

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
        now = time.monotonic()
        for kept in list(self.queue):
            if kept.folder.stop_wanted() and kept.folder.claim():
                self.queue.remove(kept)
                kept.reason = "stopped"
                self._ended(kept, None)
        for kept in self.running.values():
            wanted = kept.folder.stop_wanted()
            if wanted:
                kept.stop("stopped", wanted == "force")
            elif kept.reason:
                kept.stop(kept.reason, force=False)
            elif now >= kept.deadline:
                kept.stop("timed_out", force=False)
            if kept.folder.written() > kept.limits.output_bytes:
                self._over_output(kept)

    def _over_output(self, kept: Kept) -> None:
        if kept.limits.run_seconds is not None:
            kept.stop("output", force=True)
            return
        for stream in STREAMS:  # a service goes on, and begins a new page
            with contextlib.suppress(OSError):
                os.truncate(kept.folder.path / stream, 0)
