"""Run the real ``airflow-remote`` and shell scripts as a user does."""

from __future__ import annotations

import subprocess
from pathlib import Path

from live.environment import environment_without_airflow
from live.harness import ROOT, Server

PROGRAM = ROOT / ".venv" / "client" / "bin" / "airflow-remote"


def run_client(
    server: Server, *words: str, cwd: Path | None = None, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the program without a terminal, with its variables set for a server.

    :param cwd: the working directory
    :param stdin: the standard input
    :param environment: further variables
    """
    env = environment_without_airflow(
        AIRFLOW_REMOTE_URL=server.url,
        AIRFLOW_REMOTE_TOKEN=str(server.token),
        AIRFLOW_REMOTE_CACHE_DIR=str(server.home / "client-cache"),
        NO_PROXY="*",
    )
    return subprocess.run(
        [str(PROGRAM), *words],
        env={**env, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        cwd=cwd,
    )


def run_bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in bash, with no other Airflow variables than these."""
    return subprocess.run(
        ["bash", "-eu", "-c", script],
        env=environment_without_airflow(NO_PROXY="*", **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
