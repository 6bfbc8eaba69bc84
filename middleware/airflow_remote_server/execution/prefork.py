"""A process that is forked before its command arrives, so that the command need not wait for the fork."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_remote_server.execution.child import set_title
from airflow_remote_server.execution.command_process import detach_from_supervisor, run_command
from airflow_remote_server.execution.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PATH_BYTES = 4096
TITLE = "airflow-remote: waits for a command"


class PreforkedProcess:
    """A waiting process, as its supervisor sees it.

    :param pid: its process ID
    :param pipe: descriptor of the pipe on which it waits for the path of a spool
    """

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self.pipe = pipe

    @classmethod
    def fork(cls, release: Callable[[], None]) -> PreforkedProcess:
        """Fork a process that waits for a command.

        :param release: called in the new process: closes everything that belongs to the supervisor
        :raises OSError: if the system allows no more processes
        """
        reading, writing = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if pid == 0:
            os.close(writing)
            wait_for_command(reading, release)
        os.close(reading)
        return cls(pid, writing)

    def assign(self, spool: Spool) -> bool:
        """Give the process its command. From then on it is a child like any other.

        :returns: False if the process is gone
        """
        try:
            os.write(self.pipe, os.fsencode(spool.path))  # atomic: shorter than PIPE_BUF
        except OSError:
            self.dismiss()
            return False
        os.close(self.pipe)
        return True

    def dismiss(self) -> None:
        """Kill the process and reap it."""
        with contextlib.suppress(OSError):
            os.close(self.pipe)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def wait_for_command(pipe: int, release: Callable[[], None]) -> NoReturn:
    """Wait in the new process for a command and run it. Exit if the supervisor ends.

    :param pipe: delivers the path of a spool
    :param release: closes everything that belongs to the supervisor
    """
    path = b""
    try:
        release()
        detach_from_supervisor()
        set_title(TITLE)
        path = os.read(pipe, MAX_PATH_BYTES)
        os.close(pipe)
    finally:
        if not path:
            os._exit(0)
        run_command(Spool(Path(os.fsdecode(path))))
