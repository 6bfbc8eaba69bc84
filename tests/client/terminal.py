"""Run the program in a terminal, and type in it."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from client.program import PATIENCE, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

START_IN_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)  # nohup and background jobs ignore it
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "airflow_remote.cli.start", *sys.argv[1:]])
"""
"""Make standard input the controlling terminal, where getpass prompts, and run the program."""


class Terminal:
    """A process whose standard input and standard error are a terminal; standard output is a pipe.

    ``screen`` is all text that the terminal has shown.
    """

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.screen = ""
        self._master = master

    def read_until(self, text: str) -> None:
        """Read from the terminal until it has shown a text."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.screen:
            assert time.monotonic() < deadline, self.screen
            assert self._read(deadline - time.monotonic()), self.screen

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._master, text.encode())

    def wait(self) -> tuple[int, str]:
        """Wait until the program ends; return its exit status and its standard output."""
        assert self.process.stdout is not None
        out = self.process.stdout.read().decode()
        status = self.process.wait(PATIENCE)
        while self._read(0.2):
            pass
        return status, out

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        data = b""
        if ready:
            with contextlib.suppress(OSError):  # Linux raises it when no process has the terminal open
                data = os.read(self._master, 1 << 16)
        self.screen += data.decode()
        return bool(data)


@contextlib.contextmanager
def run_in_terminal(*argv: str) -> Iterator[Terminal]:
    """Run the program in a new terminal."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", START_IN_TERMINAL, *argv],
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
