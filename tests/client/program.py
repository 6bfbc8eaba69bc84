"""The client program, called in this process or started as a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, Union

import airflow_remote
from airflow_remote.cli.main import main

UNREACHABLE_URL = "http://127.0.0.1:1"
SOURCES = Path(airflow_remote.__file__).resolve().parent.parent
PATIENCE = 120.0
"""Seconds after which a test gives up. Nothing takes so long, even on a busy machine."""

RESET_SIGINT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Run a command that reacts to Ctrl-C, even if this process was started by nohup or in the background.

Such a process ignores SIGINT, and its children inherit that. ``preexec_fn`` is unsafe where threads run.
"""

Stream = Union[int, IO[bytes], None]
"""A standard stream of a process, as ``subprocess.Popen`` takes it."""


@dataclass
class CompletedRun:
    """The exit status and the output of the program."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    def message(self) -> str:
        """Return the program's only message; fail if it printed anything else."""
        [message] = self.messages()
        return message

    def messages(self) -> list[str]:
        """Return the program's messages; fail if it printed anything else."""
        assert self.stdout == b""
        lines = self.err.splitlines()
        prefix = "airflow-remote: "
        assert all(line.startswith(prefix) for line in lines)
        assert self.err == "".join(f"{line}\n" for line in lines)
        return [line[len(prefix) :] for line in lines]

    def final_message(self) -> str:
        """Return the program's last message; at most one message before it announces a retry."""
        *before, last = self.messages()
        assert all(message.endswith("; trying again") for message in before)
        assert len(before) <= 1
        return last


class Run(Protocol):
    """The fixture ``run``: call the program in this process, for the stub server."""

    def __call__(self, *argv: str) -> CompletedRun: ...


class Start(Protocol):
    """The fixture ``start``: start the program as a process.

    :param argv: its arguments
    :param env: environment variables to set for it
    """

    def __call__(
        self,
        *argv: str,
        env: dict[str, str] | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.PIPE,
        stderr: Stream = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]: ...


def call(*argv: str) -> CompletedRun:
    """Call the program in this process."""
    stdout, stderr = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(buffer, encoding="ascii", write_through=True) for buffer in (stdout, stderr))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    return CompletedRun(int(status), stdout.getvalue(), stderr.getvalue())


def start_process(
    *argv: str,
    env: dict[str, str] | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start the program as a process that reacts to Ctrl-C.

    :param argv: its arguments
    :param env: environment variables to set for it
    """
    program = [sys.executable, "-m", "airflow_remote.cli.start", *argv]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", RESET_SIGINT, *program],
        env=environment(**(env or {})),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with the client's sources on the path, and more variables."""
    return {**os.environ, "PYTHONPATH": str(SOURCES), **variables}
