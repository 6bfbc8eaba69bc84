"""The fork server: one process that has imported Airflow, and forks a process for each command.

It is never forked from a web worker, because it would inherit the worker's threads and connections:
``fork_server_main`` starts it with exec. It holds a lock while it runs, so there is one per fingerprint. It
ends when no server of its environment is left, or when its configuration is outdated, after its last command.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution import protocol
from airflow_remote_server.execution.fingerprint import environment_digest
from airflow_remote_server.execution.preload import Preloader, thread_count
from airflow_remote_server.execution.registry import any_server_runs
from airflow_remote_server.execution.spool import Spool
from airflow_remote_server.execution.supervisor import Supervisor
from airflow_remote_server.execution.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.execution.supervised_process import SupervisedProcess
    from airflow_remote_server.util.locks import CommandSlots

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
"""Interval between checks of whether the configuration is outdated and whether servers are left."""


class ForkServer(Supervisor):
    """A supervisor that takes commands from a Unix socket.

    :param slots: limit the number of commands that run at the same time
    :param lock: the lock file that this process holds while it runs, and its descriptor
    :param listener: a listening Unix socket
    :param path: the path where clients find the socket
    :param is_outdated: returns whether the configuration of this process has changed
    :param most_workers: how many processes may wait for further commands
    """

    def __init__(
        self,
        slots: CommandSlots,
        lock: tuple[str, int],
        listener: socket.socket,
        path: Path,
        is_outdated: Callable[[], bool],
        most_workers: int = 0,
    ) -> None:
        super().__init__(slots, lock)
        self.listener = listener
        self.is_outdated = is_outdated
        self.path = path
        self.preloader = Preloader(path.with_suffix(".skipped"))
        self.environment = environment_digest()
        self.closed = False
        self.workers = WorkerPool(self, most_workers, self._end_command)
        listener.setblocking(False)
        self.watch(listener, self.accept)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.handle_signal)

    def handle_signal(self, number: int, _: object) -> None:
        """Close the server. In a child that has not reset this handler yet, exit."""
        if os.getpid() == self.identity["pid"]:
            self.close()
        else:
            os._exit(128 + number)

    def run(self) -> None:
        """Serve until the server is closed and its last command has ended."""
        next_check = time.monotonic() + CHECK_SECONDS
        while self.busy or not self.closed:
            self.run_once()
            if self.preloader.pending and not self.busy:
                self.preload()
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + CHECK_SECONDS
                # A server that restarts while a command of the old one runs finds this process.
                needed = any_server_runs(self.path.parent, self.environment) or self.busy
                if not self.closed and (self.is_outdated() or not needed):
                    self.close()

    def close(self) -> None:
        """Stop accepting connections. Commands that were taken still run."""
        if not self.closed:
            self.closed = True
            self.workers.close()
            with contextlib.suppress(OSError):
                self.path.unlink()
            self.unwatch(self.listener)

    def accept(self) -> None:
        """Accept a connection of the same user."""
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        if not protocol.peer_has_uid(connection, os.getuid()):
            connection.close()
            return
        connection.setblocking(False)
        decoder = protocol.Decoder()
        self.watch(connection, lambda: self.receive(connection, decoder))

    def receive(self, connection: socket.socket, decoder: protocol.Decoder) -> None:
        """Read messages, and run the commands that they name; close a connection that has ended."""
        try:
            data = connection.recv(1 << 16)
            messages = decoder.feed(data) if data else None
        except BlockingIOError:
            return
        except (OSError, protocol.ProtocolError):
            messages = None
        if messages is None:
            self.unwatch(connection)
            return
        for message in messages:
            if message.get("version") == protocol.VERSION:
                self.take(connection, Spool(Path(message["run"])))

    def take(self, connection: socket.socket, spool: Spool) -> None:
        """Take a command, and report its end over the connection."""

        def report_end(end: dict[str, Any]) -> None:
            send(connection, {"end": end})

        try:
            self.enqueue(spool, report_end)
        except (OSError, ValueError) as error:
            log.warning("Cannot take a command: %s", error)
            self.unwatch(connection)
            return
        send(connection, {"taken": True})

    def run_once(self) -> None:
        """Do the same as any supervisor, and fork a worker for the next command."""
        super().run_once()
        self.workers.forget_ended()
        self.workers.trim()
        if not self.queue and not self.closed and thread_count() == 1:
            self.workers.prefork()

    def spawn(self, process: SupervisedProcess) -> int:
        """Use a worker that waits; fork one if there is none."""
        worker = self.workers.take(process.reusable)
        if worker is None:
            self.workers.prefork()
            worker = self.workers.take(process.reusable)
        if worker is not None and worker.assign(process.spool):
            return worker.pid
        return super().spawn(process)

    def _end_command(self, pid: int, exit_code: int) -> bool:
        """Record the end of a command whose worker goes on.

        :param pid: process ID of the worker
        :param exit_code: the exit code of the command
        :returns: False if the worker must end, because it was told to stop
        """
        process = self.running.pop(pid, None)
        if process is None:
            return False
        was_stopped = bool(process.reason)
        self._finish(process, exit_code)
        return not was_stopped

    def start_queued(self) -> None:
        """Exit instead of forking while a thread runs: no child could release its locks."""
        if self.queue and self.workers.fresh is None and thread_count() > 1:
            log.error("A thread runs in the fork server, so it cannot fork; it exits")
            os._exit(1)  # another supervisor adopts its commands
        super().start_queued()

    @property
    def command_pids(self) -> set[int]:
        """Return the same children as any supervisor, and the workers."""
        return super().command_pids | self.workers.pids

    def handle_end(self, process: SupervisedProcess) -> None:
        """Note the modules that a command had to import."""
        self.preloader.note(process.spool)

    def preload(self) -> None:
        """Import the modules that commands had to import, so that the next command finds them."""
        self.workers.dismiss_waiting()
        if self.preloader.preload():
            self.workers.examine()
            self.tree.exempt(self.command_pids)  # processes that an import started are not commands
        else:
            self.close()


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send a message to a web worker, which may be gone."""
    with contextlib.suppress(OSError):
        connection.sendall(protocol.encode_frame(message))
