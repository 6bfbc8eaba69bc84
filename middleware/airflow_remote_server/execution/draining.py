"""Hold SIGTERM back from the web server until its commands have ended."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from airflow_remote_server.execution.spool import CLAIMED, COMMAND, EXIT, JOB, PROCESS, Spool
from airflow_remote_server.util.drain import DRAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

log = logging.getLogger(__name__)

MARK = "airflow_remote_holds"
"""An attribute of the handlers that hold SIGTERM back."""

SAME_SIGNAL_SECONDS = 5.0
"""For how long a further SIGTERM counts as the same one.

A process group or a control group gets a signal as a whole, and then the parent passes it on as well.
"""

CHECK_SECONDS = 0.2
"""Interval between two looks at the commands."""

NOTICE_SECONDS = 1.5
"""How long gunicorn's master may take to begin to drain, after a signal that its workers have got, too."""

FILL_SECONDS = 10.0
"""How long a request may take to fill the directory of its job."""


def any_command_runs(jobs: Path) -> bool:
    """Return whether a command has not ended. Services do not count: they do not end by themselves.

    :param jobs: the directory of the spools
    """
    try:
        names = os.listdir(jobs)  # noqa: PTH208 - called often
    except OSError:
        return False
    return any(_is_unfinished(Spool(jobs / name)) for name in names)


def _is_unfinished(spool: Spool) -> bool:
    if spool.has(EXIT):
        return False
    if not any(map(spool.has, (COMMAND, CLAIMED, PROCESS))):
        try:
            return time.time() < spool.path.stat().st_mtime + FILL_SECONDS
        except OSError:
            return False
    job = spool.read(JOB)
    return isinstance(job, dict) and not job.get("service") and not spool.has(EXIT)


def find_handler() -> Callable[[int, FrameType | None], object] | None:
    """Return the web server's handler of SIGTERM, if this process can hold the signal back and does not yet.

    Airflow 3 starts the middleware twice. Two that hold the signal back would wait for each other.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        return None
    return None if hasattr(handler, MARK) else handler


def hold(handler: Callable[[int, FrameType | None], object]) -> None:
    """Handle SIGTERM.

    :param handler: calls the web server's handler in the end
    """
    setattr(handler, MARK, True)
    signal.signal(signal.SIGTERM, handler)


class Drainer:
    """Drain the server of this process at SIGTERM.

    :param read_options: returns the state directory, and how long the commands may take, in seconds
    """

    def __init__(self, read_options: Callable[[], tuple[Path, float]]) -> None:
        self._read_options = read_options
        self._jobs: Path | None = None
        self._began = 0.0
        self._ended = False

    def take_signal(self) -> bool:
        """Begin to drain. Return whether the server should go on for now; if not, it must end."""
        if self._jobs is not None:
            return not self._ended and time.monotonic() < self._began + SAME_SIGNAL_SECONDS
        try:
            state, seconds = self._read_options()
            self._jobs = state / "jobs"
            self._began = time.monotonic()
            DRAIN.begin(seconds)
            log.info("SIGTERM: no new commands; waiting up to %g s for those that run", seconds)
        except Exception:
            log.exception("The server stops without waiting for its commands")
            return False
        return True

    def is_done(self) -> bool:
        """Return whether the server has drained: the commands have ended, or their time is over."""
        if self._jobs is not None and not self._ended:
            self._ended = DRAIN.is_over or not any_command_runs(self._jobs)
            if self._ended:
                DRAIN.end()
        return self._ended

    def hold_signal(self) -> None:
        """Call the present handler of SIGTERM only when the server has drained.

        Do nothing without a handler, or outside of the main thread, which alone can set one.
        """
        handler = find_handler()
        if handler is None:
            return
        pid = os.getpid()

        def on_signal(number: int, frame: FrameType | None) -> None:
            began = self._jobs is not None
            if os.getpid() != pid or not self.take_signal():
                handler(number, frame)
            elif not began:
                threading.Thread(target=wait, name="airflow-remote-drain", daemon=True).start()

        def wait() -> None:
            try:
                while not self.is_done():
                    time.sleep(CHECK_SECONDS)
            finally:
                self._ended = True
                if callable(signal.getsignal(signal.SIGTERM)):  # otherwise, the server has stopped already
                    os.kill(pid, signal.SIGTERM)

        hold(on_signal)


def ignore_while_master_drains() -> None:
    """Ignore SIGTERM in this worker of gunicorn while the master drains, which says when to stop.

    A process group gets the signal as a whole, and a worker that stops would close its connections.
    """
    handler = find_handler()
    if handler is None:
        return
    pid = os.getpid()
    waited = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if waited.is_set() or (DRAIN.active and not DRAIN.holds) or os.getpid() != pid:
            handler(number, frame)
        elif not DRAIN.active:
            threading.Thread(target=wait, name="airflow-remote-drain", daemon=True).start()

    def wait() -> None:
        time.sleep(NOTICE_SECONDS)
        if not DRAIN.holds and callable(signal.getsignal(signal.SIGTERM)):
            waited.set()  # this is the end of this worker only
            os.kill(pid, signal.SIGTERM)

    hold(on_signal)
