"""The warm runner: commands by the warm host; by the cold runner where there is none."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.runner import protocol
from airflow_remote_server.runner.cold import ColdRunner, environment
from airflow_remote_server.runner.fingerprint import environment_digest
from airflow_remote_server.runner.locks import taken
from airflow_remote_server.runner.private import private
from airflow_remote_server.runner.servers import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.runner.folder import Folder

log = logging.getLogger(__name__)

START_SECONDS = 30.0
"""How long a command waits for a host that is starting, before it runs cold."""

TAKE_SECONDS = 10.0
"""How long a host may need to take a command: it does nothing that takes long but learn."""

RETRY_SECONDS = 60.0
"""How long after a host could not start the next one is tried."""

FINGERPRINT_SECONDS = 1.0
"""How long a fingerprint counts: to make it, every file of the plugins folder is looked at."""

LONGEST_PATH = 100
"""Bytes of a Unix socket's path: sun_path has 108 on Linux, and the temporary name needs a few."""


class Line:
    """A connection to the host that has taken a command: it will tell the end.

    :param connection: to the host, after the command was taken
    :param decoder: with what came of the next message
    """

    def __init__(self, connection: socket.socket, decoder: protocol.Decoder) -> None:
        self._connection = connection
        self._decoder = decoder
        self.end: dict[str, Any] | None = None
        self.cut = False

    def wait(self, seconds: float) -> bool:
        """Wait for the end, or for the host's.

        :returns: whether one of them has come
        """
        deadline = time.monotonic() + seconds
        while self.end is None and not self.cut:
            self._connection.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                messages = receive(self._connection, self._decoder)
            except TimeoutError:
                return False
            for message in messages:
                self.end = message.get("end", self.end)
            self.cut = self._connection.fileno() < 0
        return True

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up; the command goes on."""
        self._connection.close()


class WarmRunner:
    """Runs commands by the warm host, and starts it where it is needed.

    :param folder: a private folder for the host's socket, lock and log
    :param fingerprint: tells what a host has to be started from, now
    :param cold: runs what no host can
    """

    def __init__(self, folder: Path, fingerprint: Callable[[], str], cold: ColdRunner) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.cold = cold
        self._starting = threading.Lock()
        self._not_before = 0.0
        self._path: tuple[float, Path] | None = None
        self._registered = (0, "")

    def start(self, folder: Folder, service: bool) -> Line | None:
        """See that a keeper has a command.

        :param folder: from ``Folder.fill``
        :param service: whether it runs until it is stopped
        :returns: a line to the host; None when the command runs cold
        :raises OSError: when no process can be started
        """
        line = None if service else self._warm(folder)
        if line is None:
            self.cold.start(folder)
        return line

    def prepare(self) -> None:
        """Start the host, and do not wait until it is ready."""
        try:
            path = self.socket_path()
            self._register(path.parent)
            if not path.exists() and not taken(path.with_suffix(".lock")):
                self._spawn(path)
        except OSError as error:
            self._give_up(str(error))

    def _register(self, folder: Path) -> None:
        """Let hosts know that this server lives, also one that is still to come."""
        server = (os.getpid(), environment_digest())  # another process after a fork
        if self._registered != server:
            register(folder, *server)
            self._registered = server

    def _warm(self, folder: Folder) -> Line | None:
        for _ in range(2):  # a host may end in this moment, because it is outdated
            connection = self._connect_or_start()
            if connection is None:
                return None
            decoder = protocol.Decoder()
            wanted = {"version": protocol.VERSION, "run": str(folder.path)}
            try:
                connection.sendall(protocol.frame(wanted))
                answers = receive(connection, decoder)
            except OSError:
                answers = []
            if answers and answers[0].get("taken"):
                line = Line(connection, decoder)
                line.end = answers[1].get("end") if len(answers) > 1 else None
                return line
            connection.close()
            self._path = None
        self._give_up("it does not take commands")
        return None

    def _connect_or_start(self) -> socket.socket | None:
        try:
            path = self.socket_path()
            self._register(path.parent)
        except OSError as error:
            self._give_up(str(error))
            return None
        connection = connect(path)
        if connection is not None or time.monotonic() < self._not_before:
            return connection
        with self._starting:
            return self._start_host(path)

    def _start_host(self, path: Path) -> socket.socket | None:
        lock = path.with_suffix(".lock")
        deadline = time.monotonic() + START_SECONDS
        spawned = False
        while time.monotonic() < deadline and time.monotonic() >= self._not_before:
            connection = connect(path)
            if connection is not None:
                return connection
            if not taken(lock):
                if spawned:
                    self._give_up(last_words(path))
                    return None
                try:
                    self._spawn(path)
                except OSError as error:
                    self._give_up(str(error))
                    return None
                spawned = True
            time.sleep(0.02)
        if time.monotonic() >= self._not_before:
            self._give_up(f"it was not ready in {START_SECONDS:g} s")
        return None

    def _spawn(self, path: Path) -> None:
        argv = [sys.executable, "-m", "airflow_remote_server.runner.host"]
        argv += [str(path), path.stem.removeprefix("host-")]
        argv += [str(self.cold.keepers), str(self.cold.most)]
        with path.with_suffix(".log").open("ab") as output:
            subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=path.parent,
                env=environment(),
                check=False,
            )

    def _give_up(self, reason: str) -> None:
        if time.monotonic() >= self._not_before:
            log.warning("There is no warm host, so commands run cold: %s", reason)
        self._not_before = time.monotonic() + RETRY_SECONDS

    def socket_path(self) -> Path:
        """Where the host of the present configuration listens.

        :raises OSError: when there is no private folder for it
        """
        now, known = time.monotonic(), self._path
        if known is None or now > known[0] + FINGERPRINT_SECONDS:
            folder = self.folder
            if len(os.fsencode(folder)) > LONGEST_PATH - len("/host-0123456789abcdef.4194304"):
                folder = short_folder(folder)
            known = self._path = now, private(folder) / f"host-{self.fingerprint()}.sock"
        return known[1]


def receive(connection: socket.socket, decoder: protocol.Decoder) -> list[dict[str, Any]]:
    """Read what has come; a connection that is of no more use is closed.

    :returns: messages that are whole
    :raises TimeoutError: when nothing has come in the connection's time
    """
    try:
        data = connection.recv(1 << 16)
        messages = decoder.feed(data)
    except TimeoutError:
        raise
    except (OSError, protocol.ProtocolError):
        data, messages = b"", []
    if not data:
        connection.close()
    return messages


def connect(path: Path) -> socket.socket | None:
    """A connection to a host of this user's; None when there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TAKE_SECONDS)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    if not protocol.peer_is_us(connection, os.getuid()):
        connection.close()
        return None
    return connection


def last_words(path: Path) -> str:
    """Why a host did not start."""
    try:
        lines = path.with_suffix(".log").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it ended without a word"


def short_folder(folder: Path) -> Path:
    """A folder whose path is short enough for a socket, for one whose path is not."""
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"airflow-remote-{os.getuid()}-{name}"
