"""A supervisor without Airflow: it runs commands cold, and adopts commands whose supervisor is gone.

Started as ``python -m airflow_remote_server.execution.cold_supervisor STATE MAX SPOOL...``. It ends after its
last command.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from pathlib import Path

from airflow_remote_server.execution.daemonize import daemonize
from airflow_remote_server.execution.spool import CLAIMED, EXIT, PROCESS, Spool
from airflow_remote_server.execution.supervisor import Supervisor
from airflow_remote_server.util import locks

CLAIM_SECONDS = 2.0
"""How long a claimed command may take to write its process file, if its supervisor was killed meanwhile."""

LOCK_SECONDS = 1.0
ADOPT_SECONDS = 10.0
"""How long to wait while another supervisor adopts commands."""


def adopt_command(supervisor: Supervisor, spool: Spool, deadline: float) -> None:
    """Adopt a command, unless it has ended or has another supervisor.

    :param supervisor: the supervisor of this process
    :param spool: spool of the command
    :param deadline: until when to wait for the process of a claimed command, by ``time.monotonic``
    """
    if spool.has(EXIT) or spool.is_supervised():
        return
    while spool.has(CLAIMED) and not spool.has(PROCESS) and time.monotonic() < deadline:
        time.sleep(0.01)
    with contextlib.suppress(OSError):
        try:
            supervisor.adopt(spool)
        except (ValueError, TypeError, KeyError):  # the files are damaged, for example after a power failure
            if not spool.is_supervised():
                spool.write_end(None, "lost")


def main() -> None:
    """Supervise the commands of the given spools."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    parser.add_argument("most", type=int)
    parser.add_argument("spools", type=Path, nargs="+")
    options = parser.parse_args()
    daemonize()
    directory = options.state / "supervisors"
    path = directory / f"{os.getpid()}.lock"
    lock = locks.acquire(path, LOCK_SECONDS)
    if lock is None:
        raise SystemExit(f"{path} is locked")
    locks.remove_stale_files(directory)
    supervisor = Supervisor(locks.CommandSlots(directory, options.most), (str(path), lock))
    deadline = time.monotonic() + ADOPT_SECONDS
    while (turn := locks.acquire(directory / "adopt.lock")) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if turn is not None:
        claim_deadline = time.monotonic() + CLAIM_SECONDS
        for spool in options.spools:
            adopt_command(supervisor, Spool(spool), claim_deadline)
        os.close(turn)
    while supervisor.busy:
        supervisor.run_once()
    path.unlink(missing_ok=True)
    os._exit(0)


if __name__ == "__main__":
    main()
