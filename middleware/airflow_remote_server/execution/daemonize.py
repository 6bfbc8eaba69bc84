"""Detach a supervisor from the web worker that starts it."""

from __future__ import annotations

import os
import sys


def daemonize() -> None:
    """Continue in a child with a session of its own; the original process exits with 0.

    So no process has to wait for a supervisor. It also does not become a child of gunicorn's master, which
    takes each of its children for a worker. The child inherits held locks.
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    # `python -m` searches the working directory for modules first; a command must not.
    here = os.getcwd()  # noqa: PTH109 - as it stands in sys.path
    sys.path[:] = [entry for entry in sys.path if entry not in ("", here)]
