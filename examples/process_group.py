"""Programs that ``serve.py`` starts and stops, and the signals that stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from types import FrameType
from typing import TextIO

STOP_GRACE = 60.0  # seconds between SIGTERM and SIGKILL; running commands may finish
POLL = 0.1  # seconds


class Stop:
    """A signal handler that records that a stop was requested."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Record the request. A second signal must not interrupt the cleanup that the first one started."""
        self.requested = True


class ProcessGroup:
    """A program in its own session, which can be stopped together with everything that it forked."""

    def __init__(self, argv: list[str], env: dict[str, str], output: TextIO) -> None:
        self._process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

    def exit_code(self) -> int | None:
        """Return the exit code of the program itself; None while it runs."""
        return self._process.poll()

    def end(self) -> None:
        """End every process of the group: with SIGTERM, then with SIGKILL."""
        for signum, seconds in ((signal.SIGTERM, STOP_GRACE), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not self._alive():
                    return
                time.sleep(POLL)

    def _alive(self) -> bool:
        self._process.poll()  # reaps the leader, whose pid would keep the group in existence
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True
