"""The real ``airflow-remote``, as a user calls it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from live.harness import ROOT, Server

PROGRAM = ROOT / ".venv" / "client" / "bin" / "airflow-remote"


def remote(
    server: Server, *words: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does, who has set its variables, without a terminal.

    :param cwd: the folder to be in
    :param environment: further variables
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env.update(AIRFLOW_REMOTE_URL=server.url, AIRFLOW_REMOTE_TOKEN=str(server.token), NO_PROXY="*")
    env["AIRFLOW_REMOTE_CACHE_DIR"] = str(server.home / "client-cache")
    return subprocess.run(
        [str(PROGRAM), *words],
        env={**env, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        cwd=cwd,
    )
