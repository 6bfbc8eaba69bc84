"""Publish the spools of this node: write what its jobs print, and how they end, to the shared store."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from sqlalchemy import bindparam

from airflow_remote_server.execution.spool import (
    EXIT,
    FILES,
    PROCESS,
    RESULT,
    STREAMS,
    Spool,
)
from airflow_remote_server.jobs.models import JobState
from airflow_remote_server.jobs.nodes.pieces import LONGEST_NAME, PIECE_BYTES, WHILE_RUNNING, Piece
from airflow_remote_server.jobs.rows import JOBS
from airflow_remote_server.jobs.store import MOST_IDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.jobs.nodes.pieces import Extent, PieceStore
    from airflow_remote_server.jobs.spools import JobSpools
    from airflow_remote_server.jobs.store import JobStore

PUBLISHED = "published"
"""File of a spool all of which has been written to the store."""

ROUND_BYTES, JOB_BYTES = 4 << 20, 1 << 20
"""The maximum size of what is published in one transaction, of all jobs and of one, in bytes."""


FLUSH_SECONDS = 0.4
"""The minimum time between two objects of a running job, unless it prints much, in seconds."""


@dataclass
class Progress:
    """What of a spool has been published.

    :param seq: the number of its last piece
    :param ends: up to where each stream has been published, in bytes
    :param stamps: inode, size and time of the files that were published as a whole
    :param running: whether the store knows that the command has started
    :param due: when its output is published again at the earliest, if the command has not ended
    """

    seq: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    stamps: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    running: bool = False
    due: float = 0.0


class SpoolReader:
    """Reads the pieces of one spool that have not been published.

    :param spool: the spool
    :param progress: what has been published; it is updated
    """

    def __init__(self, spool: Spool, progress: Progress) -> None:
        self.spool = spool
        self.progress = progress

    def read_pieces(self, budget: int, output: bool = True) -> tuple[list[Piece], bool]:
        """Return new pieces in their order.

        :param budget: the size after which no further piece is read, in bytes
        :param output: whether to read output, and not only how the command is doing
        :returns: the pieces; whether the command has ended and this is all
        """
        ended = output and self.spool.has(EXIT)  # looked for first: nothing is printed after it
        pieces: list[Piece] = []
        for piece in self._pieces(ended, output):
            pieces.append(piece)
            budget -= len(piece.data)
            if budget <= 0:
                return pieces, piece.name == EXIT
        return pieces, ended

    def _pieces(self, ended: bool, output: bool) -> Iterator[Piece]:
        for name in WHILE_RUNNING:
            yield from self._changed(name)
        for stream in STREAMS if output else ():
            yield from self._appended(stream)
        if ended:
            for name, _ in self.spool.files() if self.spool.has(FILES) else ():
                if len(quoted(f"{FILES}/{name}")) <= LONGEST_NAME:
                    yield from self._appended(f"{FILES}/{name}")
            yield from self._changed(RESULT)
            yield from self._changed(EXIT)  # last: whoever has it, has everything

    def _changed(self, name: str) -> Iterator[Piece]:
        """Yield a file as a whole if it has changed."""
        try:
            with (self.spool.path / name).open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = status.st_ino, status.st_size, status.st_mtime_ns
                if self.progress.stamps.get(name) == stamp:
                    return
                data = file.read()
        except OSError:
            return
        self.progress.stamps[name] = stamp
        yield self._piece(name, 0, True, data)

    def _appended(self, name: str) -> Iterator[Piece]:
        """Yield what has been appended to a file."""
        ends = self.progress.ends
        try:
            with (self.spool.path / name).open("rb") as file:
                if os.fstat(file.fileno()).st_size < ends.get(name, 0):
                    ends[name] = 0  # the log of a service begins anew at its limit
                    yield self._piece(name, 0, True, b"")
                file.seek(ends.get(name, 0))
                while data := file.read(PIECE_BYTES):
                    position = ends.get(name, 0)
                    ends[name] = position + len(data)
                    yield self._piece(name, position, False, data)
        except OSError:
            return
        if name not in ends and name not in STREAMS:
            ends[name] = 0
            yield self._piece(name, 0, True, b"")  # an empty file of the user

    def _piece(self, name: str, position: int, whole: bool, data: bytes) -> Piece:
        self.progress.seq += 1
        return Piece(self.spool.path.name, self.progress.seq, quoted(name), position, whole, data)


def quoted(name: str) -> str:
    """Return the name of a file as pieces have it: printable characters of ASCII only."""
    return quote_from_bytes(os.fsencode(name))


class Publisher:
    """Publishes the spools of one state directory.

    :param spools: the spools
    :param store: the job store
    :param pieces: the pieces in it

    ``unsure`` is true until it is known what earlier processes have published.
    """

    def __init__(self, spools: JobSpools, store: JobStore, pieces: PieceStore) -> None:
        self.spools = spools
        self._store = store
        self.pieces = pieces
        self._progress: dict[str, Progress] = {}
        self._done: set[str] = set()
        self._last = ""
        self._forgets_starts = False
        self.unsure = True

    @property
    def active(self) -> frozenset[str]:
        """Return the ids of the jobs of which something is still to be published."""
        return frozenset(self._progress)

    def publish(self) -> bool:
        """Publish what is new, up to a limit.

        :returns: whether the limit was reached, so that there is more
        :raises Unavailable: if the store or the object store cannot be used
        """
        self._find_spools()
        if self._forgets_starts:
            self._forgets_starts = False
            for progress in self._progress.values():
                progress.running = False
        objects, now = self.pieces.objects, time.monotonic()
        ready = objects is None or objects.is_ready()
        pieces: list[Piece] = []
        started: list[tuple[str, dict[str, object]]] = []
        ended: list[Spool] = []
        budget = ROUND_BYTES
        for job_id, progress in self._in_turns():
            if budget <= 0:
                break
            self._last = job_id
            spool = Spool(self.spools.root / job_id)
            output = ready and (now >= progress.due or spool.has(EXIT))
            found, complete = SpoolReader(spool, progress).read_pieces(min(budget, JOB_BYTES), output)
            size = sum(len(piece.data) for piece in found)
            if objects is not None and output and 0 < size < JOB_BYTES:
                progress.due = now + FLUSH_SECONDS
            budget -= size
            pieces += found
            if complete:
                ended.append(spool)
            elif not progress.running and isinstance(process := spool.read(PROCESS), dict):
                started.append((job_id, process))
        try:
            self.pieces.append(pieces, retry_for=0.0)
            self._record_starts(started)
        except BaseException:
            self.unsure = True  # what was written is known to the store alone
            self._progress.clear()
            raise
        for spool in ended:
            self._end(spool)
        return budget <= 0

    def _in_turns(self) -> list[tuple[str, Progress]]:
        """Return the jobs, beginning after the last one that was published, so that none waits for long."""
        jobs = sorted(self._progress.items())
        return sorted(jobs, key=lambda item: item[0] <= self._last)

    def forget_starts(self) -> None:
        """Record the starts of all running commands again, with the next call of ``publish``.

        That may be in another thread.
        """
        self._forgets_starts = True

    def _find_spools(self) -> None:
        """Look for new spools, and forget those that were removed."""
        try:
            present = set(os.listdir(self.spools.root))  # noqa: PTH208 - faster, and called often
        except OSError:
            return
        self._done &= present
        for job_id in self._progress.keys() - present:
            del self._progress[job_id]
        unknown = sorted(present - self._done - self._progress.keys())
        published = {job_id for job_id in unknown if Spool(self.spools.root / job_id).has(PUBLISHED)}
        self._done |= published
        new = [job_id for job_id in unknown if job_id not in published]
        extents: dict[str, dict[str, Extent]] = {}
        for start in range(0, len(new) if self.unsure else 0, MOST_IDS):
            extents.update(self.pieces.read_extents(new[start : start + MOST_IDS]))
        self._progress.update((job_id, self._restore(extents.get(job_id, {}))) for job_id in new)
        self.unsure = False

    def _restore(self, quoted_extents: dict[str, Extent]) -> Progress:
        """Return what an earlier process has published of a spool."""
        extents = {os.fsdecode(unquote_to_bytes(name)): extent for name, extent in quoted_extents.items()}
        ends = {
            name: extent.end for name, extent in extents.items() if name in STREAMS or name.startswith(FILES)
        }
        return Progress(max((extent.seq for extent in extents.values()), default=0), ends)

    def _record_starts(self, started: list[tuple[str, dict[str, object]]]) -> None:
        """Record that commands have started, so that lists on other nodes show it."""
        if not started:
            return
        rows = [{"id_": job_id, "began": found["began"], "pid_": found["pid"]} for job_id, found in started]
        statement = (
            JOBS.update()
            .where(JOBS.c.id == bindparam("id_"), JOBS.c.state == JobState.QUEUED.value)
            .values(state=JobState.RUNNING.value, started=bindparam("began"), pid=bindparam("pid_"))
        )
        self._store.run_transaction(lambda connection: connection.execute(statement, rows), retry_for=0.0)
        for job_id, _ in started:
            self._progress[job_id].running = True

    def _end(self, spool: Spool) -> None:
        """Note that all of a spool has been published."""
        try:
            (spool.path / PUBLISHED).touch(0o600)
        except OSError:
            return  # the spool was removed, or the disk is full: try again
        self._progress.pop(spool.path.name, None)
        self._done.add(spool.path.name)
