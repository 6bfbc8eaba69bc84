"""Let gunicorn's master hold SIGTERM back while the server drains.

Only the master knows the end of the server: a worker also gets SIGTERM when another one takes its place. The
master goes on as usual meanwhile, so the workers accept connections until the server has drained.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "_airflow_remote_drains"


def runs_in_gunicorn() -> bool:
    """Return whether this is a process of gunicorn."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn")


def let_master_drain(take_signal: Callable[[], bool], is_done: Callable[[], bool]) -> None:
    """Change how gunicorn's master handles SIGTERM. Do nothing if that was done before.

    In a worker, this has no effect.

    :param take_signal: called at SIGTERM; returns whether the server should go on for now
    :param is_done: returns whether the server has drained; called every second
    """
    from gunicorn.arbiter import Arbiter

    if hasattr(Arbiter, MARK):
        return
    handle_term, manage_workers = Arbiter.handle_term, Arbiter.manage_workers

    def handle_term_later(arbiter: Any) -> None:
        if not take_signal():
            handle_term(arbiter)

    def manage_workers_until_done(arbiter: Any) -> None:
        manage_workers(arbiter)
        if is_done():
            handle_term(arbiter)  # raises what ends the main loop, which calls this function

    Arbiter.handle_term, Arbiter.manage_workers = handle_term_later, manage_workers_until_done
    setattr(Arbiter, MARK, True)
