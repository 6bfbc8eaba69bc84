"""What commands had to import, the warm host imports for the next one; never a DAG's or a plugin's code."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from typing import TYPE_CHECKING

from airflow_remote_server.runner.folder import MODULES

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.runner.folder import Folder

log = logging.getLogger(__name__)


class Lessons:
    """The modules that a host has still to import.

    :param skipped: a file with the names of those that may not be: they start a thread
    """

    def __init__(self, skipped: Path) -> None:
        self.skipped = skipped
        self.waiting: list[str] = []
        self._heard: set[str] = set()

    def hear(self, folder: Folder) -> None:
        """Keep in mind what a command had to import.

        :param folder: of the command, which has ended
        """
        found = folder.read(MODULES)
        if isinstance(found, list):
            self.waiting += [name for name in found if isinstance(name, str) and name not in self._heard]
            self._heard.update(self.waiting)

    def learn(self) -> bool:
        """Import all of it.

        :returns: False when a module started a thread, so that this process can fork no more
        """
        from airflow_remote_server.integrations.warm import forget_connections, import_quietly

        names, self.waiting = self.waiting, []
        for name in names:
            if name not in read_lines(self.skipped):
                import_quietly(name)
                if thread_count() > 1:
                    self.skipped.write_text("\n".join([*read_lines(self.skipped), name]), "utf-8")
                    log.warning(
                        "%s starts a thread when it is imported: another host goes on without it", name
                    )
                    return False
        forget_connections()
        settle()
        return True


def read_lines(path: Path) -> list[str]:
    """The lines of a file; none when it is not there."""
    try:
        return path.read_text("utf-8").split()
    except OSError:
        return []


def thread_count() -> int:
    """Threads of this process, also those that are not Python's."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - at every fork
    import threading

    return threading.active_count()


def settle() -> None:
    """Leave the memory as children may share it: without garbage, and out of the collector's sight."""
    gc.collect()
    gc.freeze()
