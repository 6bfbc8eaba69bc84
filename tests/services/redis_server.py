"""Run a real Redis on a loopback port."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from live.concurrency import wait_until
from live.ports import free_port


@contextmanager
def run_redis(folder: Path) -> Iterator[str]:
    """Run a server during the context, and yield its URL without the number of a database.

    :param folder: its working directory
    """
    program = shutil.which("redis-server")
    assert program, "these tests need Debian's package redis-server; `make packages` installs it"
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    argv = [program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def answers() -> bool:
        assert server.poll() is None, (folder / "redis.log").read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False

    try:
        wait_until("Redis answers", answers)
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
