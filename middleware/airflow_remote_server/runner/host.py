"""The warm host: one process that has imported Airflow, and forks a process for each command.

Started by exec as ``python -m airflow_remote_server.runner.host``, never by a fork of a web worker, whose
threads and connections would come along. It holds a lock for as long as it lives, so there is one for a
fingerprint. It ends when the servers of its environment are gone, and when it is outdated; its commands are
done before.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_remote_server.runner import locks, protocol
from airflow_remote_server.runner.detach import detach
from airflow_remote_server.runner.fingerprint import environment_digest
from airflow_remote_server.runner.folder import Folder
from airflow_remote_server.runner.keeper import Keeper
from airflow_remote_server.runner.learning import Lessons, settle, thread_count
from airflow_remote_server.runner.servers import any_lives
from airflow_remote_server.runner.spare import Spare

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.runner.kept import Kept

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often it looks whether it is outdated and whether its servers live."""

LOCK_SECONDS = 1.0
"""How long a host tries to be the only one; who looks for it may have the lock for a moment."""

BACKLOG = 512


class Host(Keeper):
    """A keeper that takes commands from a socket.

    :param slots: how many commands may run at once
    :param lock: the lock file that says that it lives, and its descriptor
    :param listener: a listening Unix socket
    :param path: where that can be found
    :param outdated: tells whether what this process was started from has changed
    """

    def __init__(
        self,
        slots: locks.Slots,
        lock: tuple[str, int],
        listener: socket.socket,
        path: Path,
        outdated: Callable[[], bool],
    ) -> None:
        super().__init__(slots, lock)
        self.listener = listener
        self.outdated = outdated
        self.path = path
        self.lessons = Lessons(path.with_suffix(".skipped"))
        self.environment = environment_digest()
        self.ending = False
        self.spare: Spare | None = None
        listener.setblocking(False)
        self.watch(listener, self.accept)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.on_signal)

    def on_signal(self, number: int, _: object) -> None:
        """Close; in a child that has not come to forget this yet, end."""
        if os.getpid() == self.sign["pid"]:
            self.close()
        else:
            os._exit(128 + number)

    def run(self) -> None:
        """Serve until there is nobody left to serve."""
        look = time.monotonic() + LOOK_SECONDS
        while self.busy or not self.ending:
            self.step()
            if self.lessons.waiting and not self.busy:
                self.learn()
            if time.monotonic() >= look:
                look = time.monotonic() + LOOK_SECONDS
                # A server that is started anew, while a command of the former one runs, finds this host.
                wanted = any_lives(self.path.parent, self.environment) or self.busy
                if not self.ending and (self.outdated() or not wanted):
                    self.close()

    def close(self) -> None:
        """Take no more connections; commands that are here are still run."""
        if not self.ending:
            self.ending = True
            self.dismiss_spare()
            with contextlib.suppress(OSError):
                self.path.unlink()
            self.unwatch(self.listener)

    def accept(self) -> None:
        """Take a connection."""
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        if not protocol.peer_is_us(connection, os.getuid()):
            connection.close()
            return
        connection.setblocking(False)
        decoder = protocol.Decoder()
        self.watch(connection, lambda: self.receive(connection, decoder))

    def receive(self, connection: socket.socket, decoder: protocol.Decoder) -> None:
        """Read what a connection has to say: a command to be run, or that it is gone."""
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
                self.take(connection, Folder(Path(message["run"])))

    def take(self, connection: socket.socket, folder: Folder) -> None:
        """Take a command."""

        def tell(end: dict[str, Any]) -> None:
            say(connection, {"end": end})

        try:
            self.keep(folder, tell)
        except (OSError, ValueError) as error:
            log.warning("A command cannot be taken: %s", error)
            self.unwatch(connection)
            return
        say(connection, {"taken": True})

    def step(self) -> None:
        """Also have a process ready for the next command."""
        super().step()
        if self.spare is None and not self.queue and not self.ending and thread_count() == 1:
            with contextlib.suppress(OSError):
                self.spare = Spare(self.leave_to_child)

    def spawn(self, kept: Kept) -> int:
        """Take the process that is ready; without one, fork."""
        spare, self.spare = self.spare, None
        if spare is not None and spare.take(kept.folder):
            return spare.pid
        return super().spawn(kept)

    def start_queued(self) -> None:
        """Start nothing where a thread runs: a lock that it holds would never be let go in a fork."""
        if self.queue and self.spare is None and thread_count() > 1:
            log.error("A thread runs in the warm host, so nothing can be forked from it; it ends")
            os._exit(1)  # what it keeps is adopted
        super().start_queued()

    def leave_to_child(self) -> None:
        """Also close what leads to the process that is ready."""
        super().leave_to_child()
        if self.spare is not None:
            os.close(self.spare.pipe)

    @property
    def ours(self) -> set[int]:
        """Also the process that is ready."""
        return super().ours if self.spare is None else super().ours | {self.spare.pid}

    def dismiss_spare(self) -> None:
        """End the process that is ready."""
        if self.spare is not None:
            self.spare.dismiss()
        self.spare = None

    def on_end(self, kept: Kept) -> None:
        """Keep in mind what a command had to import."""
        self.lessons.hear(kept.folder)

    def learn(self) -> None:
        """Import what commands had to import, so that the next one need not."""
        self.dismiss_spare()
        if self.lessons.learn():
            self.offspring.spare(self.ours)  # what an import started is no command's
        else:
            self.close()


def say(connection: socket.socket, message: dict[str, Any]) -> None:
    """Tell a worker something; nobody may be there any more."""
    with contextlib.suppress(OSError):
        connection.sendall(protocol.frame(message))


def fail(reason: str) -> NoReturn:
    """End because this process cannot be a host; the last line of its log says why."""
    print(reason, file=sys.stderr, flush=True)
    os._exit(1)


def main() -> None:
    """Be the host for a socket, if nobody else is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("fingerprint")
    parser.add_argument("slots", type=Path)
    parser.add_argument("most", type=int)
    given = parser.parse_args()
    path: Path = given.socket
    lock_path = path.with_suffix(".lock")
    lock = locks.take(lock_path, LOCK_SECONDS)
    if lock is None:
        return
    detach()
    stdout, sys.stdout = sys.stdout, sys.stderr
    import airflow.__main__  # noqa: F401 - this is what takes so long

    from airflow_remote_server.catalogue.source import keep
    from airflow_remote_server.integrations import installed
    from airflow_remote_server.integrations.warm import warm_up
    from airflow_remote_server.settings import current_fingerprint

    warm_up()
    installed().logs_to_stderr()
    sys.stdout = stdout
    if current_fingerprint() != given.fingerprint:
        fail("the configuration has changed since this host was asked for")
    with contextlib.suppress(OSError):  # whoever needs it makes it then
        keep(given.slots.parent, given.fingerprint)
    if thread_count() > 1:
        fail("Airflow or a plugin started a thread when it was imported: nothing can be forked from it")
    settle()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    old = os.umask(0o177)
    listener.bind(str(temporary))
    os.umask(old)
    listener.listen(BACKLOG)
    slots = locks.Slots(given.slots, given.most)
    host = Host(
        slots,
        (str(lock_path), lock),
        listener,
        path,
        lambda: current_fingerprint() != given.fingerprint,
    )
    locks.sweep(path.parent)
    temporary.replace(path)  # ready: who finds the socket can use it at once
    host.run()
    with contextlib.suppress(OSError):
        path.unlink()
    os._exit(0)


if __name__ == "__main__":
    main()
