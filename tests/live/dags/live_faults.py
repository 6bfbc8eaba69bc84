"""A DAG whose templates misbehave: `airflow tasks render live_faults DEED NAME` does a deed in the command.

That is what a test needs, and takes a tenth of what `tasks test` of Airflow 3 takes. A deed that goes on
does so until the test makes the file AIRFLOW_HOME/go/NAME.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

try:
    from airflow.sdk import dag, task  # Airflow 3
except ImportError:
    from airflow.decorators import dag, task  # Airflow 2

MEBIBYTE = b"0123456789abcde\n" * (1 << 16)


def waits(name: str) -> str:
    """Run as long as the test wants, and tell when it began."""
    print(f"begun {time.time():.6f}", flush=True)
    go_on(name)
    print("and done", flush=True)
    return "rendered"


def go_on(name: str) -> None:
    """Return when the test says so."""
    file = Path(os.environ["AIRFLOW_HOME"], "go", name)
    while not file.exists():
        time.sleep(0.02)


def ignores_sigterm(name: str) -> str:
    """Do not listen to who wants it to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return waits(name)


def has_grandchildren(name: str) -> str:
    """Start processes that start processes, none of which wants to end."""
    subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; sleep 3600 & sleep 3600; true"])
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.fork()
        while True:
            time.sleep(60)
    return waits(name)


def starts_a_daemon(name: str) -> str:
    """Start a process that leaves the session and the folder, and whose parent ends at once."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.chdir("/")
            os.write(writing, str(os.getpid()).encode())
            while True:
                time.sleep(60)
        os._exit(0)
    os.waitpid(child, 0)
    print(f"daemon {os.read(reading, 20).decode()}", flush=True)
    return waits(name)


def prints_a_gigabyte(name: str) -> str:
    """Print a gigabyte, past Python's own buffers."""
    for _ in range(1024):
        os.write(1, MEBIBYTE)
    return waits(name)


def reads_stdin(name: str) -> str:
    """Read what is there, which is nothing."""
    print(f"read {sys.stdin.read()!r}", flush=True)
    return "rendered"


def segfaults(name: str) -> str:
    """Read where nothing is. Airflow catches the signal while it reads DAGs, and does not let go of it."""
    print("about to fault", flush=True)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    return str(ctypes.string_at(0))


DEEDS = {
    deed.__name__: deed
    for deed in (
        waits,
        ignores_sigterm,
        has_grandchildren,
        starts_a_daemon,
        prints_a_gigabyte,
        reads_stdin,
        segfaults,
    )
}


@dag(
    dag_id="live_faults",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    user_defined_macros=DEEDS,
)
def faults() -> None:
    """A task for each deed."""
    for name in DEEDS:

        @task(task_id=name)
        def nothing(rendered: str) -> None:
            """Do nothing."""

        nothing("{{ " + name + "(run_id) }}")


faults()
