"""Start commands cold: each gets a supervisor of its own, and imports Airflow itself."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote_server.execution.spool import Spool

NOT_INHERITED = (
    "SERVER_SOFTWARE",  # set by gunicorn; Airflow 2 takes it as the sign of a webserver
    "_AIRFLOW_PROCESS_CONTEXT",  # set by the API server of Airflow 3
    "AIRFLOW_API_APPS",  # set by the API server of Airflow 3
    "FORCE_COLOR",  # would color even JSON
)


def command_environment() -> dict[str, str]:
    """Return the environment of a command: that of the server, without variables that only a server needs."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    # The interpreter's directory comes first: Airflow 2's backfill starts `airflow` by name.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    return {**env, "NO_COLOR": "1", "PYTHONUTF8": "1"}


def start_program(module: str, arguments: Sequence[str], log: Path, stdin: bytes = b"") -> int:
    """Start a program of this package that detaches itself, in a private directory.

    :param module: the full name of its module
    :param arguments: its arguments
    :param log: the file that its output is appended to; its directory becomes the working directory
    :param stdin: what it reads from its standard input
    :returns: the exit code of the process that was started, which does not wait for the detached one
    :raises OSError: if no process can be started, or the log cannot be written
    """
    with log.open("ab") as output:
        completed = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            input=stdin,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env=command_environment(),
            check=False,
        )
    return completed.returncode


class ColdStarter:
    """Runs commands without the fork server.

    :param state: the state directory
    :param most: maximum number of commands that run at the same time
    """

    def __init__(self, state: Path, most: int) -> None:
        self.state = state
        self.most = most

    def make_lock_dir(self) -> Path:
        """Return the directory of the supervisors' locks; create it if needed.

        :raises OSError: if it cannot be created
        """
        return make_private_dir(make_private_dir(self.state) / "supervisors")

    def start(self, *spools: Spool) -> None:
        """Start a supervisor for commands. Commands that already have one are left alone.

        :param spools: prepared spools
        :raises OSError: if no process can be started
        """
        log = self.make_lock_dir() / "supervisors.log"
        arguments = [str(self.state), str(self.most), *(str(spool.path) for spool in spools)]
        exit_code = start_program(f"{__package__}.cold_supervisor", arguments, log)
        if exit_code:
            raise OSError(errno.ECHILD, f"Python exited with {exit_code}, see {log}")
