from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from airflow_remote_server.util import locks

if TYPE_CHECKING:
    from pathlib import Path


def listen(path: Path) -> socket.socket:
    """Return a socket that listens at a path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_socket_of_a_killed_fork_server_is_removed_and_that_of_a_running_one_is_kept(state: Path) -> None:
    state.mkdir()
    lock = locks.acquire(state / "host-running.lock")
    (state / "host-killed.lock").touch()
    for name in ("running", "killed"):
        listen(state / f"host-{name}.sock").close()
        (state / f"host-{name}.log").touch()
    locks.remove_stale_files(state)
    assert sorted(path.name for path in state.iterdir()) == [
        "host-killed.lock",
        "host-killed.log",
        "host-running.lock",
        "host-running.log",
        "host-running.sock",
    ]
    assert lock is not None
    locks.release(lock)


def test_old_files_are_removed_unless_their_lock_is_held(state: Path) -> None:
    state.mkdir()
    for name in ("old.lock", "old.log", "taken.lock", "young.lock"):
        (state / name).touch()
    lock = locks.acquire(state / "taken.lock")
    for name in ("old.lock", "taken.lock"):
        os.utime(state / name, (0, 0))
    locks.remove_stale_files(state)
    assert sorted(path.name for path in state.iterdir()) == ["taken.lock", "young.lock"]
    assert lock is not None
    locks.release(lock)


def test_no_more_commands_get_a_slot_than_there_are_slots(tmp_path: Path) -> None:
    slots, others = locks.CommandSlots(tmp_path, 2), locks.CommandSlots(tmp_path, 2)
    first, second = slots.acquire(), others.acquire()
    assert first is not None
    assert second is not None
    assert slots.acquire() is others.acquire() is None
    os.close(first)
    third = others.acquire()
    assert third is not None
    for descriptor in (second, third):
        os.close(descriptor)
