"""Run a real PostgreSQL in a temporary directory, on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
START_SECONDS = 120


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server during the context, and yield its SQLAlchemy URL."""
    assert PROGRAMS, "these tests need Debian's package postgresql; `make test` installs it"
    folder = Path(tempfile.mkdtemp(prefix="airflow-remote-pg-"))
    user = pwd.getpwuid(os.getuid()).pw_name
    if user == "root":  # PostgreSQL refuses to run as root
        user = "postgres"
        shutil.chown(folder, user)
    data = folder / "data"
    run(user, "initdb", "-D", data, "-U", "airflow", "-A", "trust", "--no-sync")
    server = subprocess.Popen(
        [PROGRAMS[-1] / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while run(user, "pg_isready", "-h", folder, "-U", "airflow", "-d", "postgres", check=False):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"postgresql+psycopg2://airflow@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # SIGTERM would wait for all clients to disconnect
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def run(user: str, program: str, *arguments: object, check: bool = True) -> int:
    """Run one of PostgreSQL's programs, and return its exit code."""
    argv = [str(PROGRAMS[-1] / program), *(str(argument) for argument in arguments)]
    return subprocess.run(argv, user=user, cwd="/", check=check, capture_output=True).returncode
