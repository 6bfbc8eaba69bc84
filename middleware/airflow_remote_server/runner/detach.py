"""How a keeper comes loose from the web worker that starts it."""

from __future__ import annotations

import os
import sys


def detach() -> None:
    """Go on in a child, in a session of its own, while the process that was started ends with 0.

    So nobody has to wait for a keeper, and gunicorn's master, which takes every child for a worker, has none
    that it does not know. Locks that are held go along.
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    # `python -m` looks for modules in the working directory first; a command must not.
    here = os.getcwd()  # noqa: PTH109 - as it stands in sys.path
    sys.path[:] = [entry for entry in sys.path if entry not in ("", here)]
