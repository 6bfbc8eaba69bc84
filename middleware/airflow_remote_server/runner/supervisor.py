"""A keeper without Airflow: it runs commands cold, and adopts those whose keeper is no more.

Started as ``python -m airflow_remote_server.runner.supervisor STATE MOST FOLDER...``. It ends when the
commands have.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from pathlib import Path

from airflow_remote_server.runner import locks
from airflow_remote_server.runner.detach import detach
from airflow_remote_server.runner.folder import CLAIMED, EXIT, PROCESS, Folder
from airflow_remote_server.runner.keeper import Keeper

CLAIM_SECONDS = 2.0
"""How long after a claim its process may take to say that it is there, when the keeper was killed then."""

LOCK_SECONDS = 1.0
ADOPT_SECONDS = 10.0
"""How long to wait while another supervisor adopts."""


def adopt(keeper: Keeper, folder: Folder, deadline: float) -> None:
    """Take a command, unless somebody has it or it has ended.

    :param deadline: by ``time.monotonic``, for a claimed one to get its process
    """
    if folder.has(EXIT) or folder.kept():
        return
    while folder.has(CLAIMED) and not folder.has(PROCESS) and time.monotonic() < deadline:
        time.sleep(0.01)
    with contextlib.suppress(OSError):
        try:
            keeper.adopt(folder)
        except (ValueError, TypeError, KeyError):  # its files are not whole: a machine that was switched off
            if not folder.kept():
                folder.end(None, "lost")


def main() -> None:
    """Keep the commands whose folders are given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    parser.add_argument("most", type=int)
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args()
    detach()
    keepers = given.state / "keepers"
    path = keepers / f"{os.getpid()}.lock"
    lock = locks.take(path, LOCK_SECONDS)
    if lock is None:
        raise SystemExit(f"{path} is locked")
    locks.sweep(keepers)
    keeper = Keeper(locks.Slots(keepers, given.most), (str(path), lock))
    deadline = time.monotonic() + ADOPT_SECONDS
    while (turn := locks.take(keepers / "adopt.lock")) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if turn is not None:
        claims = time.monotonic() + CLAIM_SECONDS
        for folder in given.folders:
            adopt(keeper, Folder(folder), claims)
        os.close(turn)
    while keeper.busy:
        keeper.step()
    path.unlink(missing_ok=True)
    os._exit(0)


if __name__ == "__main__":
    main()
