"""Run the commands of a batch one after the other: each in a process of its own, or several in one.

A worker that has run a reusable command runs the next one, too, as long as it is clean
(``execution.command_worker``).
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import time
from typing import TYPE_CHECKING

from airflow_remote_server.execution.command_worker import CommandWorker
from airflow_remote_server.execution.command_worker_main import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.command_worker_main import InheritedState
    from airflow_remote_server.execution.spool import Spool

READY_SECONDS = 10.0
"""How long a worker may examine itself after a command before it is replaced."""


class Lane:
    """Runs one command at a time.

    :param selector: watches the connections to the workers
    :param release: called in each new process: closes everything that belongs to the batch
    :param state: the state that workers inherit; None if each command needs a process of its own
    """

    def __init__(
        self, selector: selectors.BaseSelector, release: Callable[[], None], state: InheritedState | None
    ) -> None:
        self._selector = selector
        self._release = release
        self._state = state
        self._worker: CommandWorker | None = None
        self._waits = False
        """Whether the worker waits for a command."""
        self._fresh = False
        """Whether the worker has run nothing yet."""
        self._signaled = False
        self._exit_code: int | None = None

    @property
    def pids(self) -> set[int]:
        """Return the processes of this lane."""
        return set() if self._worker is None else {self._worker.pid}

    def start(self, spool: Spool, reusable: bool) -> None:
        """Start a command.

        :param spool: its spool, which is claimed
        :param reusable: whether it may run in a process that has run others
        :raises OSError: if the system allows no more processes
        """
        usable = self._fresh or (reusable and self._is_ready())
        if self._worker is not None and not (usable and self._worker.assign(spool)):
            self.close()
        if self._worker is None:
            self.prepare()
            if self._worker is None or not self._worker.assign(spool):
                self.close()
                raise ChildProcessError("the new process has ended already")
        self._waits = self._fresh = self._signaled = False

    def prepare(self) -> None:
        """Fork a worker ahead, unless there is one that can run a command.

        :raises OSError: if the system allows no more processes
        """
        if self._worker is not None and self._worker.fileno() < 0:
            self.close()
        if self._worker is None:
            self._worker = CommandWorker.fork(self._release, self._state)
            self._selector.register(self._worker, selectors.EVENT_READ, self)
            self._waits = self._fresh = True

    def receive(self) -> None:
        """Note what the worker reports: the end of its command, that it waits, or that it is alone now."""
        worker = self._worker
        if worker is None or worker.fileno() < 0:
            return
        messages = worker.receive()
        if messages is None:
            self._selector.unregister(worker)
            worker.close()
            return
        for message, code in messages:
            if message == ENDED:
                self._exit_code = code
            else:
                self._waits = True

    def poll(self) -> int | None:
        """Return the exit code of the command if it has ended; None if it runs."""
        worker, exit_code = self._worker, self._exit_code
        if worker is None:
            return None
        if exit_code is not None:
            self._exit_code = None
            if self._signaled:
                self.close()  # the signal may still arrive
            return exit_code
        # A worker that has closed the connection runs its last command, or was killed.
        if worker.fileno() >= 0 or not _has_ended(worker.pid):
            return None
        self.send_signal(signal.SIGKILL)  # it is not reaped, so the process ID is still its own
        _, status = os.waitpid(worker.pid, 0)
        self._worker = None
        return os.waitstatus_to_exitcode(status)

    def send_signal(self, number: int) -> None:
        """Send a signal to the command and to all processes in its process group."""
        if self._worker is None:
            return
        self._signaled = True
        try:
            os.killpg(self._worker.pid, number)
        except ProcessLookupError:  # the process has not created its session yet
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker.pid, number)
        except PermissionError:
            pass  # it runs as another user, as a task with run_as_user may

    def release_in_child(self) -> None:
        """Close the connection to the worker in a forked child."""
        if self._worker is not None:
            self._worker.close()

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            if self._worker.fileno() >= 0:
                self._selector.unregister(self._worker)
            self._worker.dismiss()
        self._worker, self._exit_code, self._waits, self._fresh = None, None, False, False

    def _is_ready(self) -> bool:
        """Wait until the worker has examined itself; return whether it waits for a command."""
        deadline = time.monotonic() + READY_SECONDS
        while self._worker is not None and self._worker.fileno() >= 0 and not self._waits:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._worker], [], [], left)[0]:
                return False
            self.receive()
        return self._waits


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
