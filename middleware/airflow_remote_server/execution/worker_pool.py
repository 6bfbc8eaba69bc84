"""The command workers of a fork server: one that has run nothing yet, and those that wait after a command."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from typing import TYPE_CHECKING

from airflow_remote_server.execution.command_worker import CommandWorker
from airflow_remote_server.execution.command_worker_main import ENDED, InheritedState

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.supervisor import Supervisor

log = logging.getLogger(__name__)

IDLE_SECONDS = 20.0
"""How long a worker waits for a further command, and how long it may examine itself after one."""


class WorkerPool:
    """The workers of one supervisor.

    :param supervisor: forks them, and watches their connections
    :param most: how many workers may wait after a command; 0 for a process for each command
    :param report_end: called with a worker's process ID and the exit code of its command
    """

    def __init__(self, supervisor: Supervisor, most: int, report_end: Callable[[int, int], bool]) -> None:
        self._supervisor = supervisor
        self._most = most
        self._report_end = report_end
        self._workers: dict[int, CommandWorker] = {}
        self._idle: list[CommandWorker] = []
        self._examined: list[CommandWorker] = []
        self.fresh: CommandWorker | None = None
        self._state: InheritedState | None = None
        self._module_count = 0
        self.examine()

    def examine(self) -> None:
        """Examine the state that the workers inherit, before the first fork and after each import."""
        self._module_count = len(sys.modules)
        self._state = None
        if self._most:
            try:
                self._state = InheritedState()
            except Exception as error:  # noqa: BLE001 - private names of Airflow may be missing or change
                log.warning("Each command gets a new process: %s: %s", type(error).__name__, error)

    @property
    def pids(self) -> set[int]:
        """Return the process IDs of all workers."""
        return set(self._workers)

    def prefork(self) -> None:
        """Fork a worker for the next command, unless there is one."""
        if self.fresh is None:
            if len(sys.modules) != self._module_count:
                self.examine()
            with contextlib.suppress(OSError):
                self.fresh = CommandWorker.fork(self._supervisor.release_in_child, self._state)
                self._workers[self.fresh.pid] = worker = self.fresh
                self._supervisor.watch(worker, lambda: self._receive(worker))

    def take(self, reusable: bool) -> CommandWorker | None:
        """Take a worker for a command; return None if there is none.

        :param reusable: whether the command may run in a worker that has run others
        """
        if reusable and self._idle:
            return self._idle.pop()  # the one that was used last
        worker, self.fresh = self.fresh, None
        return worker

    def _receive(self, worker: CommandWorker) -> None:
        messages = worker.receive()
        if messages is None:
            self._drop(worker)
            return
        for message, code in messages:
            worker.idle_since = time.monotonic()
            if message == ENDED:
                if not self._report_end(worker.pid, code):
                    self.dismiss(worker)  # it was told to stop, so the signal may still arrive
                    return
                self._examined.append(worker)
            elif len(self._idle) < self._most:
                self._examined.remove(worker)
                self._idle.append(worker)
            else:
                self.dismiss(worker)

    def _drop(self, worker: CommandWorker) -> None:
        """Forget a worker that has closed its connection: it runs its last command, or exits."""
        self._leave(worker)
        if worker.pid not in self._supervisor.running:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker.pid, os.WNOHANG)  # the supervisor reaps it if it has not ended yet

    def forget_ended(self) -> None:
        """Forget the workers that have closed their connections and run no command any more."""
        for pid, worker in list(self._workers.items()):
            if worker.fileno() < 0 and pid not in self._supervisor.running:
                del self._workers[pid]

    def dismiss(self, worker: CommandWorker) -> None:
        """End a worker.

        :param worker: a worker without a command
        """
        self._leave(worker)
        self._workers.pop(worker.pid, None)
        worker.dismiss()

    def _leave(self, worker: CommandWorker) -> None:
        """Stop watching a worker, which gets no further command."""
        self._supervisor.unwatch(worker)
        if worker is self.fresh:
            self.fresh = None
        for workers in (self._idle, self._examined):
            if worker in workers:
                workers.remove(worker)

    def dismiss_waiting(self) -> None:
        """End all workers that wait for a command."""
        for worker in [*self._idle, *([self.fresh] if self.fresh else [])]:
            self.dismiss(worker)

    def close(self) -> None:
        """End all workers that wait, and let none wait any more."""
        self._most = 0
        self.dismiss_waiting()

    def trim(self) -> None:
        """End workers that have waited long for a further command, or do not finish to examine themselves."""
        for worker in (*self._idle, *self._examined):
            if time.monotonic() >= worker.idle_since + IDLE_SECONDS:
                self.dismiss(worker)
