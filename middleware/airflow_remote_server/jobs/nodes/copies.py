"""Copies of the spools of other nodes: what is read from the shared store becomes files again.

Whatever reads a spool also reads a copy. A copy is pulled when somebody asks for the job, and deleted when
nobody has asked for some time.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.execution.spool import EXIT, FILES, Spool
from airflow_remote_server.jobs.models import JobState, directory_id
from airflow_remote_server.jobs.nodes.objects import OutputStoreUnavailable
from airflow_remote_server.jobs.nodes.pieces import PUBLISHED_FILES
from airflow_remote_server.jobs.nodes.worker_queue import WAITING
from airflow_remote_server.util.atomic_files import write_atomically
from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.nodes.pieces import Piece, PieceStore

PULL_SECONDS = 0.2
"""The minimum time between two queries for new pieces of a job, in seconds."""

SETTLE_SECONDS = 20.0
"""After the end of a job is known, it is final when no piece has arrived for this time, in seconds."""

UNUSED_SECONDS = 3600.0
"""How long a copy is kept that nobody reads, in seconds."""

CURSOR = ".cursor"
"""File of a copy with the number of the last piece that was written."""

ENDED = ".ended"
"""File of a copy that is created when the end of the job is known before its last piece has arrived."""


class CopiedSpool(Spool):
    """A copy of the spool of a job of another node.

    :param path: the directory of the copy
    :param pieces: the pieces of all jobs
    """

    def __init__(self, path: Path, pieces: PieceStore) -> None:
        super().__init__(path)
        self._pieces = pieces
        self._pulled = -PULL_SECONDS
        self._failure: OutputStoreUnavailable | None = None

    def pull(self) -> None:
        """Write what has arrived in the store since the last call, unless that was just now.

        Several processes may do so at the same time: they write the same bytes to the same places. If the
        object store cannot be used, what is known of the job is what arrived before.

        :raises Unavailable: if the store cannot be used, or the copy cannot be written
        """
        if time.monotonic() < self._pulled + PULL_SECONDS:
            return
        self._failure = None
        try:
            self._pull()
        except OutputStoreUnavailable as error:
            self._failure = error
        self._pulled = time.monotonic()

    def require_output(self) -> None:
        """Do the same as ``pull``, for a reader of output.

        :raises Unavailable: for the same reasons, or if the object store cannot be used
        """
        self.pull()
        if self._failure is not None:
            raise self._failure

    def _pull(self) -> None:
        try:
            cursor = self._read_cursor()
            while pieces := self._pieces.read_after(self.path.name, cursor):
                for piece in pieces:
                    self._apply(piece)
                cursor = pieces[-1].seq
                write_atomically(self.path / CURSOR, str(cursor))
                with suppress(FileNotFoundError):
                    os.utime(self.path / ENDED)
        except OSError as error:
            raise Unavailable(
                f"cannot write to {self.path} ({error.strerror}): free some space, or make it writable"
            ) from error

    def _read_cursor(self) -> int:
        make_private_dir(self.path)
        try:
            cursor = int((self.path / CURSOR).read_text("ascii"))
        except (OSError, ValueError):
            return 0
        with suppress(OSError):
            os.utime(self.path / CURSOR)  # it is in use
        return cursor

    def _apply(self, piece: Piece) -> None:
        """Write a piece to its file.

        :raises OSError: if it cannot be written
        """
        name = os.fsdecode(unquote_to_bytes(piece.name))
        parts = name.split("/")
        if name not in PUBLISHED_FILES and (parts[0] != FILES or not {"", ".", ".."}.isdisjoint(parts)):
            return  # no publisher writes such a name
        path = self.path.joinpath(*parts)
        make_private_dir(path.parent)
        if piece.whole:
            write_atomically(path, piece.data)
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            rest, position = memoryview(piece.data), piece.position
            while rest:
                written = os.pwrite(descriptor, rest, position)
                rest, position = rest[written:], position + written
        finally:
            os.close(descriptor)

    def is_complete(self, job: Job) -> bool:
        """Return whether no further pieces of an ended job are to be expected.

        :param job: the job as the store has it
        """
        if self.has(EXIT) or job.state is JobState.LOST or directory_id(job.node) == WAITING:
            return True
        marker = self.path / ENDED
        try:
            seen = marker.stat().st_mtime
        except FileNotFoundError:
            marker.touch(0o600)
            return False
        return time.time() > seen + SETTLE_SECONDS  # two times of this machine

    def remove_private_files(self) -> None:
        """Do nothing: a copy has none, and another process may be writing to it."""

    def read(self, name: str) -> Any:
        """Return the JSON content of a file; None if it is missing or not JSON."""
        self.pull()
        return super().read(name)

    def has(self, name: str) -> bool:
        """Return whether a file exists."""
        self.pull()
        return super().has(name)

    def size(self, stream: str) -> int:
        """Return the size of a stream in bytes; 0 if it is missing."""
        self.pull()
        return super().size(stream)

    def read_output(self, stream: str, offset: int, size: int) -> bytes:
        """Return a part of a stream."""
        self.require_output()
        return super().read_output(stream, offset, size)


class SpoolCopies:
    """The copies below one state directory.

    :param root: the directory of the copies
    :param pieces: the pieces of all jobs
    """

    def __init__(self, root: Path, pieces: PieceStore) -> None:
        self.root = root
        self._pieces = pieces

    def spool_of(self, job_id: str) -> CopiedSpool:
        """Return the copy of a job's spool, with all that has arrived.

        :param job_id: the id of the job
        :raises Unavailable: if the store cannot be used, or the copy cannot be written
        """
        spool = CopiedSpool(self.root / job_id, self._pieces)
        spool.pull()
        return spool

    def is_complete(self, job: Job) -> bool:
        """Return whether no further output of an ended job is to be expected.

        :param job: the job as the store has it
        """
        return self.spool_of(job.id).is_complete(job)

    def remove(self, job_id: str) -> None:
        """Delete the copy of a job's spool, if there is one."""
        shutil.rmtree(self.root / job_id, ignore_errors=True)

    def remove_unused(self) -> None:
        """Delete the copies that nobody has read for some time."""
        before = time.time() - UNUSED_SECONDS
        with suppress(FileNotFoundError):
            for path in self.root.iterdir():
                cursor = path / CURSOR
                with suppress(OSError):
                    if (cursor if cursor.exists() else path).stat().st_mtime < before:
                        shutil.rmtree(path, ignore_errors=True)
