"""A DAG whose templates misbehave: `airflow tasks render live_faults PROBE NAME` runs a probe in the command.

This takes a tenth of the time of `tasks test` in Airflow 3. A probe that waits does so until the test creates
the file AIRFLOW_HOME/go/NAME.
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
    """Print the start time, and run until the test allows the probe to finish."""
    print(f"begun {time.time():.6f}", flush=True)
    wait_for_permission(name)
    print("and done", flush=True)
    return "rendered"


def wait_for_permission(name: str) -> None:
    """Wait until the test creates the probe's file."""
    file = Path(os.environ["AIRFLOW_HOME"], "go", name)
    while not file.exists():
        time.sleep(0.02)


def ignores_sigterm(name: str) -> str:
    """Ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return waits(name)


def has_grandchildren(name: str) -> str:
    """Start processes that start processes, all of which ignore SIGTERM."""
    subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; sleep 3600 & sleep 3600; true"])
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.fork()
        while True:
            time.sleep(60)
    return waits(name)


def starts_a_daemon(name: str) -> str:
    """Start a process that leaves the session and the folder, and whose parent exits at once."""
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


def fills_the_disk(name: str) -> str:
    """Print until the disk is full."""
    while True:
        os.write(1, MEBIBYTE)


def reads_stdin(name: str) -> str:
    """Read standard input, which is empty."""
    print(f"read {sys.stdin.read()!r}", flush=True)
    return "rendered"


def segfaults(name: str) -> str:
    """Read from address 0. Airflow handles SIGSEGV while it parses DAGs, and does not reset the handler."""
    print("about to fault", flush=True)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    return str(ctypes.string_at(0))


PROBES = {
    probe.__name__: probe
    for probe in (
        waits,
        ignores_sigterm,
        has_grandchildren,
        starts_a_daemon,
        prints_a_gigabyte,
        fills_the_disk,
        reads_stdin,
        segfaults,
    )
}


@dag(
    dag_id="live_faults",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    user_defined_macros=PROBES,
)
def faults() -> None:
    """Define a task for each probe."""
    for name in PROBES:

        @task(task_id=name)
        def nothing(rendered: str) -> None:
            """Do nothing."""

        nothing("{{ " + name + "(run_id) }}")


faults()
