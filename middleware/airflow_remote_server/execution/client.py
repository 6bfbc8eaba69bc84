"""Run commands in the fork server; start it if needed, and run commands cold if it cannot start."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution import protocol
from airflow_remote_server.execution.cold_start import ColdStarter, start_program
from airflow_remote_server.execution.fingerprint import environment_digest
from airflow_remote_server.execution.registry import is_registered, register_server
from airflow_remote_server.execution.start_failures import StartFailures
from airflow_remote_server.util.locks import is_locked
from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.spool import Spool

log = logging.getLogger(__name__)

START_SECONDS = 30.0
"""How long a command waits for a fork server that is starting, before it runs cold."""

TAKE_SECONDS = 10.0
"""How long a fork server may need to accept a command; only imports of modules keep it busy."""

RETRY_SECONDS = 60.0
"""How long commands run cold after the fork server could not be used."""

FINGERPRINT_SECONDS = 1.0
"""How long to cache a fingerprint: computing it looks at every file of the plugins folder."""

MAX_PATH_BYTES = 100
"""Maximum length of a Unix socket's path: sun_path has 108 bytes on Linux; the temporary name is longer."""


class CompletionChannel:
    """A connection over which the fork server reports the end of a command.

    :param connection: connection to the fork server, which has taken the command
    :param decoder: holds the bytes received so far
    """

    def __init__(self, connection: socket.socket, decoder: protocol.Decoder) -> None:
        self._connection = connection
        self._decoder = decoder
        self.end: dict[str, Any] | None = None
        self.broken = False

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the command or of the connection.

        :param seconds: maximum time to wait
        :returns: whether one of them has happened
        """
        deadline = time.monotonic() + seconds
        while self.end is None and not self.broken:
            self._connection.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                messages = receive(self._connection, self._decoder)
            except TimeoutError:
                return False
            for message in messages:
                self.end = message.get("end", self.end)
            self.broken = self._connection.fileno() < 0
        return True

    def __enter__(self) -> CompletionChannel:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection. The command keeps running."""
        self._connection.close()


class ForkServerClient:
    """Runs commands in the fork server, and starts it if needed.

    :param directory: a private directory for its socket, lock and log
    :param fingerprint: returns the fingerprint of the present configuration
    :param cold: runs commands without the fork server
    :param workers: how many processes of the fork server may wait for further commands
    """

    def __init__(
        self, directory: Path, fingerprint: Callable[[], str], cold: ColdStarter, workers: int = 0
    ) -> None:
        self.directory = directory
        self.fingerprint = fingerprint
        self.cold = cold
        self.workers = workers
        self._starting = threading.Lock()
        self._pause: tuple[Path | None, float] = (None, 0.0)
        self._path: tuple[float, Path] | None = None
        self._registered = (0, "")
        self._registered_until = 0.0

    def start(self, spool: Spool, service: bool) -> CompletionChannel | None:
        """Give a command to a supervisor.

        :param spool: a prepared spool
        :param service: whether the command runs until it is stopped
        :returns: the channel on which its end is reported; None if the command runs cold
        :raises OSError: if no process can be started
        """
        channel = None if service else self._submit(spool)
        if channel is None:
            self.cold.start(spool)
        return channel

    def prepare(self) -> None:
        """Start the fork server without waiting until it is ready."""
        try:
            path = self.socket_path()
            self._register(path.parent)
            # A new server always tries: the cause of earlier failures may have been fixed.
            if not path.exists() and not is_locked(path.with_suffix(".lock")):
                StartFailures(path.with_suffix(".failed")).clear()
                self._spawn(path)
        except OSError as error:
            self._run_cold(str(error))

    def _register(self, directory: Path) -> None:
        """Tell fork servers, including future ones, that this server runs, unless that was done just now."""
        if self._registered[0] == os.getpid() and time.monotonic() < self._registered_until:
            return
        self._registered_until = time.monotonic() + FINGERPRINT_SECONDS
        server = (os.getpid(), environment_digest())  # the process ID changes after a fork
        if self._registered != server or not is_registered(directory, *server):
            register_server(directory, *server)
            self._registered = server

    def _submit(self, spool: Spool) -> CompletionChannel | None:
        for _ in range(2):  # an outdated fork server may end at this moment
            connection = self._connect_or_start()
            if connection is None:
                return None
            decoder = protocol.Decoder()
            request = {"version": protocol.VERSION, "run": str(spool.path)}
            try:
                connection.sendall(protocol.encode_frame(request))
                answers = receive(connection, decoder)
            except OSError:
                answers = []
            if answers and answers[0].get("taken"):
                channel = CompletionChannel(connection, decoder)
                channel.end = answers[1].get("end") if len(answers) > 1 else None
                return channel
            connection.close()
            self._path = None
        self._run_cold("it does not take commands")
        return None

    def _connect_or_start(self) -> socket.socket | None:
        try:
            path = self.socket_path()
            self._register(path.parent)
        except OSError as error:
            self._run_cold(str(error))
            return None
        connection = connect(path)
        if connection is not None or self._paused(path):
            return connection
        with self._starting:
            return self._start_server(path)

    def _start_server(self, path: Path) -> socket.socket | None:
        lock = path.with_suffix(".lock")
        failures = StartFailures(path.with_suffix(".failed"))
        deadline = time.monotonic() + START_SECONDS
        spawned = False
        while time.monotonic() < deadline and not self._paused(path):
            connection = connect(path)
            if connection is not None:
                return connection
            failure = failures.pending()  # checked first: a process that it left behind may hold its lock
            if failure is None and not is_locked(lock):
                failure = failures.pending()  # it may have ended in the meantime
                if failure is None and spawned:
                    # A fork server that exits records why, so this one was killed.
                    failure = failures.add(last_log_line(path))
                if failure is None:
                    try:
                        self._spawn(path)
                    except OSError as error:
                        self._run_cold(str(error), path)
                        return None
                    spawned = True
            if failure is not None:
                self._run_cold(failure.reason, path, failure.next_start - time.time())
                return None
            time.sleep(0.02)
        if not self._paused(path):
            failure = failures.add(f"it was not ready within {START_SECONDS:g} s")
            self._run_cold(failure.reason, path, failure.next_start - time.time())
        return None

    def _spawn(self, path: Path) -> None:
        fingerprint = path.stem.removeprefix("host-")
        limits = [str(self.cold.most), str(self.workers)]
        arguments = [str(path), fingerprint, str(self.cold.make_lock_dir()), *limits]
        start_program(f"{__package__}.fork_server_main", arguments, path.with_suffix(".log"))

    def _run_cold(self, reason: str, path: Path | None = None, seconds: float = RETRY_SECONDS) -> None:
        """Run commands cold for a while.

        :param reason: the reason, for the log
        :param path: socket of the fork server that cannot be used; None for any. Another configuration has
            another socket
        :param seconds: how long
        """
        if not self._paused(path):
            log.warning("No fork server, so commands run cold (next try in %.0f s): %s", seconds, reason)
        self._pause = path, time.monotonic() + seconds

    def _paused(self, path: Path | None) -> bool:
        """Return whether commands run cold at present.

        :param path: socket of the fork server that they would use
        """
        paused, until = self._pause
        return time.monotonic() < until and paused in (None, path)

    def socket_path(self) -> Path:
        """Return the socket of the fork server of the present configuration.

        :raises OSError: if its private directory cannot be created
        """
        now, cached = time.monotonic(), self._path
        if cached is None or now > cached[0] + FINGERPRINT_SECONDS:
            directory = self.directory
            if len(os.fsencode(directory)) > MAX_PATH_BYTES - len("/host-0123456789abcdef.4194304"):
                directory = short_directory(directory)
            cached = self._path = now, make_private_dir(directory) / f"host-{self.fingerprint()}.sock"
        return cached[1]


def receive(connection: socket.socket, decoder: protocol.Decoder) -> list[dict[str, Any]]:
    """Read from a connection. Close it if it has ended or sends invalid data.

    :returns: complete messages
    :raises TimeoutError: if nothing arrives within the time-out of the connection
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
    """Return a connection to a fork server that runs as this user; None if there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TAKE_SECONDS)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    if not protocol.peer_has_uid(connection, os.getuid()):
        connection.close()
        return None
    return connection


def last_log_line(path: Path) -> str:
    """Return why a fork server did not start: the last line of its log."""
    try:
        lines = path.with_suffix(".log").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it exited without a message"


def short_directory(directory: Path) -> Path:
    """Return a directory for sockets in place of one whose path is too long."""
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"airflow-remote-{os.getuid()}-{name}"
