"""Reserve ports for servers that a test starts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

_reserved: list[IO[str]] = []


def free_port() -> int:
    """Return a loopback port that is free, that no other test gets, and that the system does not assign.

    It is used seconds later, or never, so other processes with tests must not get it either: this one locks a
    file until it ends. It is not one of those that the system gives to outgoing connections
    (net.ipv4.ip_local_port_range begins at 32768).
    """
    folder = Path(tempfile.gettempdir(), f"airflow-remote-test-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.sample(range(20_000, 32_000), 100):
        lock = (folder / str(port)).open("w")
        with socket.socket() as probe, contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            probe.bind(("127.0.0.1", port))
            _reserved.append(lock)
            return port
        lock.close()
    raise AssertionError("no free port in a hundred")
