"""The program in a terminal: what it shows there, and what somebody types."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from conftest import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30.0

# The terminal becomes the process's own, which getpass asks at.
BEGIN = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "airflow_remote.cli", *sys.argv[1:]])
"""


class Terminal:
    """A process whose standard input and standard error are a terminal; standard output is a pipe."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master

    def until(self, text: str) -> None:
        """Read what is shown until a text is there."""
        deadline = time.monotonic() + SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            assert self._read(deadline - time.monotonic()), self.shown

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def end(self) -> tuple[int, str]:
        """Wait for the end: the exit status, and what standard output got."""
        assert self.process.stdout is not None
        out = self.process.stdout.read().decode()
        status = self.process.wait(SECONDS)
        while self._read(0.2):
            pass
        return status, out

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        data = b""
        if ready:
            with contextlib.suppress(OSError):  # Linux's way to say that nobody has it open any more
                data = os.read(self._master, 1 << 16)
        self.shown += data.decode()
        return bool(data)


@contextlib.contextmanager
def terminal(*argv: str) -> Iterator[Terminal]:
    """The program, started in a terminal of its own."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, *argv],
        env=environment(TERM="xterm"),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        os.close(master)
