"""Let requests wait for their jobs without making the web server deaf.

A web server has few workers or threads. A request whose client is gone stops waiting, and some workers are
always left to answer other requests. A job does not notice: it never depends on the request that started it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_remote_server.util.slots import ProcessSlots, ThreadSlots, waiting_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_remote_server.http.connection import Connection

SHORT_SECONDS = 1.0
"""The maximum time, in seconds, that a request without a slot waits: most commands end sooner."""

DIRECTORY = "waiting"
"""Directory of the lock files, below the state directory."""


@dataclass(frozen=True)
class Turn:
    """How long a request may wait.

    :param connection: the connection of the request
    :param seconds: the maximum time to wait
    :param shortened: whether that is less than the request asked for, because too many others wait
    """

    connection: Connection
    seconds: float
    shortened: bool = False

    def is_over(self) -> bool:
        """Return whether to stop waiting already, since the client is gone."""
        return self.connection.is_gone()


class WaitingRequests:
    """The requests of one web server that wait.

    :param state: the state directory
    """

    def __init__(self, state: Path) -> None:
        self._directory = state / DIRECTORY
        self._lock = threading.Lock()
        self._threads: dict[int, tuple[ThreadSlots, ThreadSlots]] = {}
        self._processes: dict[int, ProcessSlots] = {}

    @contextmanager
    def take_turn(self, connection: Connection, seconds: float) -> Iterator[Turn]:
        """Decide how long a request may wait, until the end of the context.

        :param connection: the connection of the request
        :param seconds: how long it asks to wait
        """
        release, most = self._take(connection) if seconds > 0 else (None, 0.0)
        try:
            yield Turn(connection, min(seconds, most), seconds > most)
        finally:
            if release is not None:
                release()

    def _take(self, connection: Connection) -> tuple[Callable[[], None] | None, float]:
        """Take a slot if one is free; return how to release it, and the maximum time to wait."""
        threads, processes = connection.threads, connection.processes
        if threads is not None and threads > 1:
            return self._take_thread(threads)
        if threads is None or processes is None:
            return None, float("inf")  # nothing is known about the web server
        with self._lock:
            slots = self._processes.setdefault(
                processes, ProcessSlots(self._directory, waiting_share(processes))
            )
        try:
            release = slots.take()
        except OSError:
            return None, SHORT_SECONDS  # no command can run without the state directory
        return release, SHORT_SECONDS if release is None else float("inf")

    def _take_thread(self, threads: int) -> tuple[Callable[[], None] | None, float]:
        long = waiting_share(threads)
        short = waiting_share(threads - long)  # the last threads do not even wait for a short time
        with self._lock:
            for_long, for_short = self._threads.setdefault(threads, (ThreadSlots(long), ThreadSlots(short)))
        release = for_long.take()
        if release is not None:
            return release, float("inf")
        release = for_short.take()
        return release, 0.0 if release is None else SHORT_SECONDS
