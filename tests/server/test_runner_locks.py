from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from airflow_remote_server.runner import locks

if TYPE_CHECKING:
    from pathlib import Path


def listening(path: Path) -> socket.socket:
    """A socket that somebody listens on."""
    found = socket.socket(socket.AF_UNIX)
    found.bind(str(path))
    found.listen()
    return found


def test_the_socket_of_a_host_that_was_killed_goes_and_that_of_one_that_lives_stays(state: Path) -> None:
    state.mkdir()
    lock = locks.take(state / "host-lives.lock")
    (state / "host-killed.lock").touch()
    for name in ("lives", "killed"):
        listening(state / f"host-{name}.sock").close()
        (state / f"host-{name}.log").touch()
    locks.sweep(state)
    assert sorted(path.name for path in state.iterdir()) == [
        "host-killed.lock",
        "host-killed.log",
        "host-lives.lock",
        "host-lives.log",
        "host-lives.sock",
    ]
    assert lock is not None
    locks.let_go(lock)


def test_old_files_go_with_their_lock_unless_it_is_taken(state: Path) -> None:
    state.mkdir()
    for name in ("old.lock", "old.log", "taken.lock", "young.lock"):
        (state / name).touch()
    lock = locks.take(state / "taken.lock")
    for name in ("old.lock", "taken.lock"):
        os.utime(state / name, (0, 0))
    locks.sweep(state)
    assert sorted(path.name for path in state.iterdir()) == ["taken.lock", "young.lock"]
    assert lock is not None
    locks.let_go(lock)
