"""Write how commands ended."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_remote_server.execution.spool import EXIT, FOUND_DEAD
from airflow_remote_server.util.private_dirs import make_private_dir
from airflow_remote_server.util.reserve import Reserve

if TYPE_CHECKING:
    from airflow_remote_server.execution.spool import Spool
    from airflow_remote_server.execution.supervised_process import SupervisedProcess


def note_found_dead(spool: Spool) -> None:
    """Note that the end of a service was not observed, for web servers that start it again.

    :param spool: its spool
    """
    with suppress(OSError):
        (make_private_dir(spool.path.parents[1] / FOUND_DEAD) / spool.path.name).touch(0o600)


class EndWriter:
    """Writes ``exit.json`` of ended commands.

    ``waiting`` are those for which that was not possible yet.
    """

    def __init__(self) -> None:
        self.waiting: list[SupervisedProcess] = []

    def write(self, *ended: SupervisedProcess) -> None:
        """Write the ends of commands, and those that are still waiting; try again later if the disk is full.

        :param ended: commands that have just ended
        """
        due, self.waiting = [*self.waiting, *ended], []
        for process in due:
            try:
                process.spool.write(EXIT, process.end)
            except OSError as error:
                if process.spool.path.exists():
                    self.waiting.append(process)
                    if error.errno == errno.ENOSPC:
                        Reserve(process.spool.path.parents[1]).shrink()  # of the state directory
            else:
                process.spool.remove_private_files()
