"""Start the program, and end its process, without work that a short-lived program does not need.

This takes a fifth of the time off a short run. ``main.main`` runs the program within another one.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

GC_THRESHOLD = 50_000
"""After how many new objects garbage is collected.

Imports create many objects but no garbage. A program that runs for hours, as ``job output --follow`` can,
still collects it.
"""


def start() -> NoReturn:
    """Run the program with the arguments of the process, and exit with its status."""
    gc.set_threshold(GC_THRESHOLD)
    from airflow_remote.cli.main import main

    exit_at_once(main())


def exit_at_once(status: int) -> NoReturn:
    """End the process without freeing its objects one by one, which the operating system does faster.

    All files are closed by then. If the standard streams cannot be flushed, Python reports that as usual.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed before Python started
                stream.flush()
    except (OSError, ValueError):
        sys.exit(status)
    os._exit(status)


if __name__ == "__main__":
    start()
