"""A process that is forked before there is a command for it: a command then need not wait for the fork."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_remote_server.runner.child import set_title
from airflow_remote_server.runner.folder import Folder
from airflow_remote_server.runner.fork import become_command, leave_keeper

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_PATH = 4096
TITLE = "airflow-remote: waits for a command"


class Spare:
    """One, seen from its keeper.

    :param clean_up: called in the new process: closes what is the keeper's
    :raises OSError: when there can be no more processes
    """

    def __init__(self, clean_up: Callable[[], None]) -> None:
        reading, self.pipe = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(self.pipe)
            raise
        finally:
            if getattr(self, "pid", 1):
                os.close(reading)
        if self.pid == 0:
            os.close(self.pipe)
            wait(reading, clean_up)

    def take(self, folder: Folder) -> bool:
        """Give it its command; it is a child like any other then.

        :returns: False when it is no more
        """
        try:
            os.write(self.pipe, os.fsencode(folder.path))  # less than PIPE_BUF, so all at once
        except OSError:
            self.dismiss()
            return False
        os.close(self.pipe)
        return True

    def dismiss(self) -> None:
        """End it, and wait for that."""
        with contextlib.suppress(OSError):
            os.close(self.pipe)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def wait(pipe: int, clean_up: Callable[[], None]) -> NoReturn:
    """Wait for a command in the new process, and become it; end with the keeper."""
    path = b""
    try:
        clean_up()
        leave_keeper()
        set_title(TITLE)
        path = os.read(pipe, LONGEST_PATH)
        os.close(pipe)
    finally:
        if not path:
            os._exit(0)
        become_command(Folder(Path(os.fsdecode(path))))
