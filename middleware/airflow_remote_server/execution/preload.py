"""Import in the fork server the modules that commands had to import, but never code of DAGs or plugins."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from typing import TYPE_CHECKING

from airflow_remote_server.execution.spool import MODULES

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.execution.spool import Spool

log = logging.getLogger(__name__)


class Preloader:
    """Imports the modules that commands had to import.

    :param skipped: a file that lists modules not to import: they start a thread
    """

    def __init__(self, skipped: Path) -> None:
        self.skipped = skipped
        self.pending: list[str] = []
        self._noted: set[str] = set()

    def note(self, spool: Spool) -> None:
        """Note the modules that a command had to import.

        :param spool: spool of the command, which has ended
        """
        names = spool.read(MODULES)
        if isinstance(names, list):
            self.pending += [name for name in names if isinstance(name, str) and name not in self._noted]
            self._noted.update(self.pending)

    def preload(self) -> bool:
        """Import all noted modules.

        :returns: False if a module started a thread, so that this process cannot fork any more
        """
        from airflow_remote_server.integrations.preparation import forget_connections, import_quietly

        names, self.pending = self.pending, []
        for name in names:
            if name not in read_words(self.skipped):
                import_quietly(name)
                if thread_count() > 1:
                    self.skipped.write_text("\n".join([*read_words(self.skipped), name]), "utf-8")
                    log.warning("Importing %s starts a thread; a new fork server continues without it", name)
                    return False
        forget_connections()
        freeze_memory()
        return True


def read_words(path: Path) -> list[str]:
    """Return the words of a file; none if it is missing."""
    try:
        return path.read_text("utf-8").split()
    except OSError:
        return []


def thread_count() -> int:
    """Return the number of threads of this process, including those that Python did not start."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - called at every fork
    import threading

    return threading.active_count()


def freeze_memory() -> None:
    """Collect garbage, and hide all objects from the collector, so that children share their memory pages."""
    gc.collect()
    gc.freeze()
