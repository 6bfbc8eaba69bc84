"""Run a real PostgreSQL in a temporary directory."""

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
from itertools import chain
from pathlib import Path

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
START_SECONDS = 120


@contextmanager
def postgres(port: int | None = None) -> Iterator[str]:
    """Run a server during the context, and yield its SQLAlchemy URL.

    :param port: the loopback port to listen on; without one, it listens on a Unix socket only
    """
    assert PROGRAMS, "these tests need Debian's package postgresql; `make test` installs it"
    folder = Path(tempfile.mkdtemp(prefix="airflow-remote-pg-"))
    user = pwd.getpwuid(os.getuid()).pw_name
    if user == "root":  # PostgreSQL refuses to run as root
        user = "postgres"
        shutil.chown(folder, user)
    data = folder / "data"
    run(user, "initdb", "-D", data, "-U", "airflow", "-A", "trust", "--no-sync")
    listen = f"listen_addresses={'' if port is None else '127.0.0.1'}"
    settings = [listen, f"port={port or 5432}", "fsync=off", "max_connections=200"]
    server = subprocess.Popen(
        [PROGRAMS[-1] / "postgres", "-D", data, "-k", folder, *chain(*(("-c", item) for item in settings))],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    probe = ["-h", folder, "-p", port or 5432, "-U", "airflow", "-d", "postgres"]
    try:
        deadline = time.monotonic() + START_SECONDS
        while run(user, "pg_isready", *probe, check=False):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        address = f"/postgres?host={folder}" if port is None else f"127.0.0.1:{port}/postgres"
        yield f"postgresql+psycopg2://airflow@{address}"
    finally:
        server.send_signal(signal.SIGINT)  # SIGTERM would wait for all clients to disconnect
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def create_database(url: str, name: str) -> str:
    """Create a database on a server that listens on a port, and return its SQLAlchemy URL."""
    user = pwd.getpwuid(os.getuid()).pw_name
    run(user, "createdb", f"--maintenance-db={url.replace('+psycopg2', '')}", name)
    return f"{url.rpartition('/')[0]}/{name}"


def run(user: str, program: str, *arguments: object, check: bool = True) -> int:
    """Run one of PostgreSQL's programs, and return its exit code."""
    argv = [str(PROGRAMS[-1] / program), *(str(argument) for argument in arguments)]
    return subprocess.run(argv, user=user, cwd="/", check=check, capture_output=True).returncode
