"""The cold runner: a new Python for each command, which has to import Airflow first."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.runner import STDERR, STDOUT, Outcome

if TYPE_CHECKING:
    from airflow_remote_server.runner import Command

NOT_INHERITED = (
    "SERVER_SOFTWARE",  # gunicorn's; Airflow 2 takes it for a sign that it is a webserver
    "_AIRFLOW_PROCESS_CONTEXT",  # of the Airflow 3 API server
    "AIRFLOW_API_APPS",  # of the Airflow 3 API server
    "FORCE_COLOR",  # colours even JSON
)
POLL_SECONDS = (0.005, 0.05)


def environment() -> dict[str, str]:
    """The environment of a command: the server's, without what belongs to a server only."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    # The folder of the interpreter first: Airflow 2's backfill starts `airflow` by name.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    return {**env, "NO_COLOR": "1", "PYTHONUTF8": "1"}


class ColdProcess:
    """A command in a Python of its own, in a session of its own.

    :param popen: the process
    :param folder: the command's folder
    :param lifeline: the end of a pipe that this process has to keep open for the command to live
    """

    def __init__(self, popen: subprocess.Popen[bytes], folder: Path, lifeline: int | None) -> None:
        self._popen = popen
        self._folder = folder
        self._lifeline = lifeline
        self._reaped_by_another = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def wait(self, timeout: float) -> Outcome | None:
        """Wait for its end, and then kill what it left behind in its session.

        :param timeout: seconds
        :returns: None when it still runs
        """
        deadline = time.monotonic() + timeout
        pause = POLL_SECONDS[0]
        while not self._has_ended():
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(pause, left))
            pause = min(pause * 2, POLL_SECONDS[1])
        self._kill_group()
        exit_code = self._popen.wait()
        self._let_go()
        return Outcome.read(self._folder, None if self._reaped_by_another else exit_code)

    def stop(self) -> None:
        """Kill it and all its descendants that stayed in its session."""
        self._kill_group()
        self._popen.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def _has_ended(self) -> bool:
        if self._popen.returncode is not None:
            return True
        # WNOWAIT: until it is reaped, nobody else can get its process id, and so its group's.
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            self._reaped_by_another = True  # whoever waits for every child of this process
            return True

    def _kill_group(self) -> None:
        if self._popen.returncode is None and not self._reaped_by_another:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


class ColdRunner:
    """Starts each command as ``python -m airflow_remote_server.runner.child``."""

    def start(self, command: Command) -> ColdProcess:
        """Start a command.

        :param command: its arguments reach the child in an unlinked file: they may be secret, so they are
            kept out of the process list, and longer than a command line may be
        :raises OSError: when no process can be started
        """
        with contextlib.ExitStack() as stack:
            spec = stack.enter_context(tempfile.TemporaryFile())
            its, ours = (None, None) if command.service else os.pipe()
            if its is not None:
                stack.callback(os.close, its)
            said = {
                "program": command.program,
                "argv": command.argv,
                "title": command.title,
                "lifeline": its,
            }
            spec.write(json.dumps(said).encode())
            spec.seek(0)
            stdout = stack.enter_context((command.folder / STDOUT).open("wb"))
            stderr = stack.enter_context((command.folder / STDERR).open("wb"))
            popen = subprocess.Popen(
                [sys.executable, "-m", "airflow_remote_server.runner.child", str(spec.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=command.folder,
                env=environment(),
                pass_fds=(spec.fileno(), *([] if its is None else [its])),
                start_new_session=True,
            )
        return ColdProcess(popen, command.folder, ours)
