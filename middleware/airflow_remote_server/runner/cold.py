"""The cold runner: a supervisor for each command, whose process has to import Airflow first."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.runner.private import private

if TYPE_CHECKING:
    from airflow_remote_server.runner.folder import Folder

NOT_INHERITED = (
    "SERVER_SOFTWARE",  # gunicorn's; Airflow 2 takes it for a sign that it is a webserver
    "_AIRFLOW_PROCESS_CONTEXT",  # of the Airflow 3 API server
    "AIRFLOW_API_APPS",  # of the Airflow 3 API server
    "FORCE_COLOR",  # colours even JSON
)


def environment() -> dict[str, str]:
    """The environment of a command: the server's, without what belongs to a server only."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    # The folder of the interpreter first: Airflow 2's backfill starts `airflow` by name.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    return {**env, "NO_COLOR": "1", "PYTHONUTF8": "1"}


class ColdRunner:
    """Runs commands without a warm host.

    :param state: the private folder of everything
    :param most: how many commands may run at once
    """

    def __init__(self, state: Path, most: int) -> None:
        self.state = state
        self.most = most

    @property
    def keepers(self) -> Path:
        """The folder of locks.

        :raises OSError: when it cannot be made
        """
        return private(private(self.state) / "keepers")

    def start(self, *folders: Folder) -> None:
        """See that a keeper has these commands. One that somebody has already is left to him.

        :param folders: from ``Folder.fill``
        :raises OSError: when no process can be started
        """
        log = self.keepers / "supervisors.log"
        argv = [sys.executable, "-m", "airflow_remote_server.runner.supervisor"]
        argv += [str(self.state), str(self.most), *(str(folder.path) for folder in folders)]
        with log.open("ab") as output:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.state,
                env=environment(),
                check=False,
            )
        if done.returncode:
            raise OSError(errno.ECHILD, f"Python ended with {done.returncode}, see {log}")
