"""A process that is forked before its command arrives, and runs further commands while it is clean.

Forking a process, and doing everything for the first time in it, takes longer than most commands. So a worker
that has run a *reusable* command, one that runs only Airflow's own code, compares its state with that before
the command (``process_state``). If nothing is left behind, it waits for the next reusable command; otherwise
it exits. Every other command gets a worker that has run nothing, which exits after it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from airflow_remote_server.execution.command_worker_main import MESSAGE_BYTES, run_worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.command_worker_main import InheritedState
    from airflow_remote_server.execution.spool import Spool


class CommandWorker:
    """A worker, as its supervisor sees it.

    :param pid: its process ID
    :param channel: the connection to it
    """

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.idle_since = time.monotonic()

    @classmethod
    def fork(cls, release: Callable[[], None], state: InheritedState | None) -> CommandWorker:
        """Fork a worker.

        :param release: called in the new process: closes everything that belongs to the supervisor
        :param state: the inherited state; None if the worker shall run a single command
        :raises OSError: if the system allows no more processes
        """
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            ours.close()
            run_worker(theirs, release, state)
        theirs.close()
        return cls(pid, ours)

    def fileno(self) -> int:
        """Return the descriptor of the connection, which is readable when the worker reports something."""
        return self.channel.fileno()

    def close(self) -> None:
        """Close the connection. A worker that waits exits."""
        self.channel.close()

    def assign(self, spool: Spool) -> bool:
        """Give the worker a command, which the supervisor has claimed.

        :returns: False if the worker is gone
        """
        try:
            self.channel.sendall(os.fsencode(spool.path))
        except OSError:
            return False
        return True

    def receive(self) -> list[tuple[bytes, int]] | None:
        """Return what the worker reports.

        :returns: messages, each with an exit code; None if the worker has closed the connection
        """
        try:
            data = self.channel.recv(MESSAGE_BYTES * 16)
        except OSError:
            data = b""
        if not data:
            return None
        return [(data[start : start + 1], data[start + 1]) for start in range(0, len(data), MESSAGE_BYTES)]

    def dismiss(self) -> None:
        """Kill the worker and reap it."""
        self.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
