"""Run commands, enforce their limits, and record their end.

The fork server is a supervisor, and so is the cold supervisor, which runs commands without it. A supervisor
has one thread and no database connection whenever it forks. If it is killed, its commands keep running, and
the next supervisor adopts them.
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

from airflow_remote_server.execution.command_process import detach_from_supervisor, run_command
from airflow_remote_server.execution.ends import EndWriter, note_found_dead
from airflow_remote_server.execution.restarts import RestartQueue, boot_identity
from airflow_remote_server.execution.spool import EXIT, OFFERED, PROCESS, RESULT, SUPERVISOR, Spool
from airflow_remote_server.execution.supervised_process import SupervisedProcess
from airflow_remote_server.util.locks import start_ticks
from airflow_remote_server.util.process_tree import ProcessTree, kill_processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.util.locks import CommandSlots

POLL_SECONDS = 0.1
"""Interval between checks of running commands: their limits, and requests to stop them."""

IDLE_SECONDS = 2.0
"""The same interval while nothing runs."""


class Closable(Protocol):
    """An object that a selector can watch, and that can be closed."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


def ignore_end(_: dict[str, Any]) -> None:
    """Do nothing at the end of a command."""


class Supervisor:
    """Runs commands in the order in which they arrive.

    :param slots: limit the number of commands that run at the same time
    :param lock: the lock file that this supervisor holds while it runs, and its descriptor
    """

    def __init__(self, slots: CommandSlots, lock: tuple[str, int]) -> None:
        self.slots = slots
        path, self.lock = lock
        pid = os.getpid()
        self.identity = {
            "lock": path,
            "pid": pid,
            "ticks": start_ticks(pid),
            "host": socket.gethostname(),
            "boot": boot_identity(),
        }
        self.queue: deque[SupervisedProcess] = deque()
        self.running: dict[int, SupervisedProcess] = {}
        self.draining: list[SupervisedProcess] = []
        self.ends = EndWriter()
        self.restarts = RestartQueue()
        self.sources: list[Closable] = []
        self.tree = ProcessTree()
        self._child_ended = False
        self._next_check = 0.0
        self.selector = selectors.DefaultSelector()
        self.wake, self.wake_end = socket.socketpair()
        for end in (self.wake, self.wake_end):
            end.setblocking(False)
        self.watch(self.wake, self._drain)
        signal.set_wakeup_fd(self.wake_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def watch(self, source: Closable, on_readable: Callable[[], object]) -> None:
        """Call a function whenever a source is readable. Children close the source."""
        self.sources.append(source)
        self.selector.register(source, selectors.EVENT_READ, on_readable)

    def unwatch(self, source: Closable) -> None:
        """Stop watching a source and close it."""
        with contextlib.suppress(ValueError):
            self.sources.remove(source)
            self.selector.unregister(source)
        source.close()

    def enqueue(
        self,
        spool: Spool,
        report_end: Callable[[dict[str, Any]], None] = ignore_end,
        revivable: bool = True,
    ) -> None:
        """Queue a command. It runs as soon as there is a slot.

        :param spool: a prepared spool
        :param report_end: called with the content of ``exit.json`` at the end
        :param revivable: see ``SupervisedProcess``
        :raises OSError: if the spool cannot be written
        :raises ValueError: if another supervisor has the command, or the spool is damaged
        """
        if spool.has(EXIT) or spool.is_supervised():
            raise ValueError(f"another supervisor has {spool.path}")
        process = SupervisedProcess(spool, spool.read_limits(), report_end, revivable=revivable)
        spool.write(SUPERVISOR, self.identity)
        self.queue.append(process)

    def adopt(self, spool: Spool) -> None:
        """Take over a command whose supervisor is gone.

        :param spool: its spool
        :raises OSError: if the spool cannot be written
        :raises ValueError: if the spool is damaged
        """
        last = spool.read(SUPERVISOR)
        revivable = not isinstance(last, dict) or last.get("boot", "") == self.identity["boot"]
        record = spool.read(PROCESS)
        if not isinstance(record, dict):
            self.enqueue(spool, revivable=revivable)  # the command has no process yet
            return
        pid, ticks = int(record["pid"]), str(record["ticks"])
        process = SupervisedProcess(
            spool, spool.read_limits(), ignore_end, pid=pid, ticks=ticks, revivable=revivable
        )
        process.found_dead = not process.is_alive
        process.resume_stop()
        spool.write(SUPERVISOR, self.identity)
        if self.restarts.adopt(process):
            return
        if not process.service:
            process.slot = self.slots.acquire()  # the command keeps running if no slot is free
            process.start_clock(seconds_run=time.time() - float(record["began"]))
        self.running[process.pid] = process

    @property
    def busy(self) -> bool:
        """Return whether there is work left."""
        work = (self.queue, self.running, self.draining, self.ends.waiting, self.restarts.waiting)
        return any(map(bool, work)) or self.tree.unfinished

    @property
    def command_pids(self) -> set[int]:
        """Return the children that are commands, will become one, or mask the output of one."""
        processes = (*self.running.values(), *self.draining)
        return set(self.running).union(*(process.filter_pids for process in processes))

    def run_once(self) -> None:
        """Wait for an event or the next check, and handle everything that is due."""
        timeout = max(0.0, self._next_check - time.monotonic()) if self.busy else IDLE_SECONDS
        for key, _ in self.selector.select(timeout):
            key.data()
        if self._child_ended or time.monotonic() >= self._next_check:
            self._child_ended = False
            self._next_check = time.monotonic() + POLL_SECONDS
            self._reap()
            self._check()
            for process in self.restarts.take_due():
                self._start(process)
        self.start_queued()

    def _drain(self) -> None:
        """Note the signal of a child that has ended."""
        self._child_ended = True
        with contextlib.suppress(BlockingIOError):
            self.wake.recv(4096)

    def start_queued(self) -> None:
        """Start queued commands while there are slots."""
        # Commands that are offered to other machines wait, without holding up those behind them.
        while process := next((each for each in self.queue if not each.spool.has(OFFERED)), None):
            process.slot = None if process.service else self.slots.acquire()
            if process.slot is None and not process.service:
                return
            self.queue.remove(process)
            if process.spool.claim():
                self._start(process)
            elif process.spool.has(PROCESS):
                process.release_slot()
                self.adopt(process.spool)
            else:
                self._finish(process, None)  # a supervisor claimed the command, but ended before it ran

    def spawn(self, process: SupervisedProcess) -> int:
        """Start the process of a claimed command.

        :returns: its process ID
        :raises OSError: if the system allows no more processes
        """
        pid = os.fork()
        if pid == 0:
            try:
                self.release_in_child()
                if process.slot is not None:
                    os.close(process.slot)
                detach_from_supervisor(process.service)
            finally:
                run_command(process.spool)
        return pid

    def _start(self, process: SupervisedProcess) -> None:
        try:
            process.pid = self.spawn(process)
        except OSError:
            self._finish(process, None)
            return
        process.start_clock()
        self.running[process.pid] = process

    def release_in_child(self) -> None:
        """Close everything that belongs to the supervisor in a forked child, and reset signal handlers."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        for source in (*self.sources, self.wake_end):
            source.close()
        os.close(self.lock)
        for process in self.running.values():
            if process.slot is not None:
                os.close(process.slot)

    def _reap(self) -> None:
        """Record the end of commands, and kill the processes that they left behind."""
        for pid, process in list(self.running.items()):
            if process.ticks:
                if not process.is_alive:
                    self._finish_adopted(process)
                continue
            status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if status is None:
                continue
            daemonized = process.daemon and (status.si_code, status.si_status) == (os.CLD_EXITED, 0)
            if not daemonized:
                process.send_signal(signal.SIGKILL)  # it is not reaped, so the process ID is still its own
            _, wait_status = os.waitpid(pid, 0)
            del self.running[pid]
            if process.may_restart():
                self._start(process)
                continue
            if daemonized:
                self.tree.exempt(self.command_pids)
            self.draining.append(process.begin_drain(os.waitstatus_to_exitcode(wait_status)))
        self._kill_orphans()
        self._finish_drained()

    def _finish_drained(self) -> None:
        """Record the end of commands whose output is complete, and whose killed processes have ended."""
        unfinished = self.tree.unfinished and not self._runs_service
        for process in list(self.draining):
            if process.is_drained() and (not unfinished or time.monotonic() >= process.drained_by):
                self.draining.remove(process)
                self._finish(process, process.exit_code)

    def _kill_orphans(self) -> None:
        """Kill children that are not commands; only reap them while a service runs, which may need them."""
        if self._runs_service:
            self.tree.reap(self.command_pids)
        else:
            self.tree.kill_all(self.command_pids)

    @property
    def _runs_service(self) -> bool:
        """Return whether a service runs that is a child."""
        return any(process.service and not process.ticks for process in self.running.values())

    def _finish_adopted(self, process: SupervisedProcess) -> None:
        """Record the end of a command that is not a child, and kill the processes that it left behind."""
        del self.running[process.pid]
        if not process.daemon or process.reason:
            if not start_ticks(process.pid):  # otherwise, another process has the ID by now
                process.send_signal(signal.SIGKILL)
            kill_processes(process.descendants)
        self.draining.append(process.begin_drain(None))

    def _finish(self, process: SupervisedProcess, exit_code: int | None) -> None:
        """Record the end of a command.

        :param exit_code: None if it is unknown: the command was not a child, or never ran
        """
        process.release_slot()
        result = process.spool.read(RESULT)
        if exit_code is None and isinstance(result, dict):
            exit_code = result.get("exit_code")
        if exit_code == 0 and isinstance(result, dict) and not process.service:
            process.reason = ""  # it finished before it could be stopped; a stopped service also ends with 0
        elif exit_code is None and not process.reason:
            process.reason = "lost"
        if process.service and self.restarts.add(process, exit_code):
            return
        if process.over_output_limit and not process.service:
            process.reason = "output"
            process.truncate_output()
        process.end = {"exit_code": exit_code, "reason": process.reason, "ended": time.time()}
        if process.killed:
            process.end["killed"] = True
        if process.found_dead and process.service and process.reason == "lost":
            note_found_dead(process.spool)
        self.ends.write(process)
        self.handle_end(process)
        process.report_end(process.end)

    def handle_end(self, process: SupervisedProcess) -> None:
        """Handle the end of a command; for subclasses."""

    def _check(self) -> None:
        """Enforce limits, and stop commands that a user wants to stop."""
        self.ends.write()
        for process in self.restarts.take_stopped():
            process.reason = "stopped"
            self._finish(process, None)
        for process in list(self.queue):
            if process.spool.requested_stop() and process.spool.claim():
                self.queue.remove(process)
                process.reason = "stopped"
                self._finish(process, None)
        for process in self.running.values():
            process.enforce_limits()
