"""Let requests wait for their jobs without making the web server deaf.

A web server has few workers or threads. A request whose client is gone stops waiting, and some workers are
always left to answer other requests. A job does not notice: it never depends on the request that started it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_remote_server.util.drain import DRAIN
from airflow_remote_server.util.slots import ProcessSlots, ThreadSlots, waiting_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Protocol

    from airflow_remote_server.http.connection import Connection

    class Slots(Protocol):
        """Slots of a server."""

        def take(self) -> Callable[[], None] | None:
            """Take a slot; return the function that releases it, or None if no slot is free."""


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
        """Return whether to stop waiting already: the client is gone, or the server stops now."""
        return DRAIN.is_over or self.connection.is_gone()


class WaitingRequests:
    """The requests of one web server that wait.

    :param state: the state directory
    """

    def __init__(self, state: Path) -> None:
        self._directory = state / DIRECTORY
        self._lock = threading.Lock()
        self._threads: dict[int, tuple[Slots, Slots]] = {}
        self._processes: dict[int, tuple[Slots, Slots]] = {}

    @contextmanager
    def take_turn(self, connection: Connection, seconds: float, poll: bool = False) -> Iterator[Turn]:
        """Decide how long a request may wait, until the end of the context.

        :param connection: the connection of the request
        :param seconds: how long it asks to wait
        :param poll: whether it is one of many that follow a job, and does not wait at all without a slot
        """
        release, most = self._take(connection, poll) if seconds > 0 else (None, 0.0)
        try:
            yield Turn(connection, min(seconds, most), seconds > most)
        finally:
            if release is not None:
                release()

    def _take(self, connection: Connection, poll: bool) -> tuple[Callable[[], None] | None, float]:
        """Take a slot if one is free; return how to release it, and the maximum time to wait."""
        threads, processes = connection.threads, connection.processes
        if threads is not None and threads > 1:
            return self._take_slot(*self._thread_slots(threads), poll)
        if threads is None or processes is None:
            return None, float("inf")  # nothing is known about the web server
        try:
            return self._take_slot(*self._process_slots(processes), poll)
        except OSError:
            return None, SHORT_SECONDS  # no command can run without the state directory

    def _take_slot(
        self, for_long: Slots, for_short: Slots, poll: bool
    ) -> tuple[Callable[[], None] | None, float]:
        release = for_long.take()
        if release is not None:
            return release, float("inf")
        release = None if poll else for_short.take()
        return release, 0.0 if release is None else SHORT_SECONDS

    def _thread_slots(self, threads: int) -> tuple[Slots, Slots]:
        long = waiting_share(threads)
        short = waiting_share(threads - long)  # the last threads do not even wait for a short time
        with self._lock:
            return self._threads.setdefault(threads, (ThreadSlots(long), ThreadSlots(short)))

    def _process_slots(self, processes: int) -> tuple[Slots, Slots]:
        # Airflow's own pages need these workers, too; under an ASGI server they have threads of their own.
        long = max(1, processes // 2)
        short = waiting_share(processes - long)
        with self._lock:
            slots = (ProcessSlots(self._directory, long), ProcessSlots(self._directory, short, "short-"))
            return self._processes.setdefault(processes, slots)
