"""Pieces of the files of spools, in the database that all nodes share.

With an object store, the database has a row for each piece, too. The content of a piece of output is an
object, and the row has its SHA-256, from which the name of the object follows. So readers need not list the
objects, and a row cannot name anything else.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, insert, or_, select, update

from airflow_remote_server.execution.batch_progress import STATES, TITLES
from airflow_remote_server.execution.spool import EXIT, PROCESS, RESTARTS, RESULT, STOP, STOPPING, STREAMS
from airflow_remote_server.jobs.node_tables import IN_OBJECT, PIECES
from airflow_remote_server.jobs.nodes.objects import OutputStoreUnavailable
from airflow_remote_server.jobs.rows import JOBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from airflow_remote_server.jobs.nodes.objects import ObjectStore
    from airflow_remote_server.jobs.store import JobStore

PAGE = 16
"""The maximum number of pieces that are read at once, since each may be as large as ``PIECE_BYTES``."""

PIECE_BYTES = 1 << 18
"""The maximum size of a piece that is a part of a file, before it is compressed."""

WHILE_RUNNING = (PROCESS, RESTARTS, STOP, STOPPING, TITLES, STATES)
"""Files that are published as a whole whenever they have changed."""

PUBLISHED_FILES = (*WHILE_RUNNING, *STREAMS, RESULT, EXIT)
"""The files of a spool that are published, besides those that the command wrote for its user."""

STATUS_FILES = (*WHILE_RUNNING, EXIT)
"""Those of them that say how a job is doing: they are always in the database."""

INLINE_BYTES = 1 << 10
"""The maximum size of a piece of output that stays in the database, compressed: an object would cost more."""

SUPERSEDED = ""
"""The name of pieces whose file was replaced, until their objects are removed."""

GARBAGE = 100
"""How many objects are removed at once."""

LONGEST_NAME = 1000
"""The maximum length of the name of a file, in characters."""

FASTEST = 1
"""The level of zlib that costs the least time."""


@dataclass(frozen=True)
class Piece:
    """A part of a file of a spool, or a whole file.

    :param job: the id of the job
    :param seq: its place in the order in which the pieces of this job were written, from 1
    :param name: the path of the file below the spool, quoted as in a URL, since it may be in any encoding
    :param position: where it belongs in the file, in bytes
    :param whole: whether it is all of the file, in place of what the file held before
    :param data: the content
    """

    job: str
    seq: int
    name: str
    position: int
    whole: bool
    data: bytes


@dataclass(frozen=True)
class Extent:
    """How far a file has been written.

    :param seq: the number of its last piece
    :param end: the size of the file, in bytes
    """

    seq: int
    end: int


class PieceStore:
    """Writes and reads pieces.

    :param store: the job store
    :param objects: where the content of output goes; None for the database
    """

    def __init__(self, store: JobStore, objects: ObjectStore | None = None) -> None:
        self._store = store
        self.objects = objects

    def append(self, pieces: Sequence[Piece], retry_for: float) -> None:
        """Add pieces in one transaction. A whole file replaces the earlier pieces of its file.

        Pieces of jobs that the store does not have are left out: they were deleted.

        :param pieces: in their order
        :param retry_for: the same as in ``JobStore.run_transaction``
        :raises IntegrityError: if another process publishes the same spool
        :raises Unavailable: if the store cannot be used, or the object store
        """
        rows = [
            {
                "job": piece.job,
                "seq": piece.seq,
                "name": piece.name,
                "position": piece.position,
                "size": len(piece.data),
                "whole": int(piece.whole),
                "data": zlib.compress(piece.data, FASTEST),
            }
            for piece in pieces
        ]
        if self.objects is not None:
            self._write_objects(self.objects, rows)
        replaced = [piece for piece in pieces if piece.whole and piece.seq > 1]
        superseded = [piece for piece in replaced if piece.name not in STATUS_FILES]

        def write(connection: Connection) -> None:
            known = existing_jobs(connection, {piece.job for piece in pieces})
            for piece in replaced:
                earlier = (PIECES.c.job == piece.job, PIECES.c.name == piece.name, PIECES.c.seq < piece.seq)
                connection.execute(delete(PIECES).where(*earlier, PIECES.c.whole < IN_OBJECT))
                if piece in superseded:
                    connection.execute(update(PIECES).where(*earlier).values(name=SUPERSEDED))
            existing = [row for row in rows if row["job"] in known]
            if existing:
                connection.execute(insert(PIECES), existing)

        if rows:
            self._store.run_transaction(write, retry_for)
        if superseded and self.objects is not None:
            jobs = PIECES.c.job.in_({piece.job for piece in superseded})
            self._remove_garbage(self.objects, and_(jobs, PIECES.c.name == SUPERSEDED))

    def _write_objects(self, objects: ObjectStore, rows: list[dict[str, Any]]) -> None:
        """Write the contents of output as objects, and put their digests into the rows."""
        large = [row for row in rows if row["name"] not in STATUS_FILES and len(row["data"]) > INLINE_BYTES]
        if not large:
            return
        ids = {row["job"] for row in large}
        known = self._store.run_transaction(lambda connection: existing_jobs(connection, ids), 0.0)
        contents = {}
        for row in large:
            data = row["data"]
            row["data"] = hashlib.sha256(data).digest()
            row["whole"] += IN_OBJECT
            if row["job"] in known:
                contents[object_name(row["job"], row["seq"], row["data"])] = data
        objects.write(contents)

    def remove_garbage(self) -> bool:
        """Remove objects of jobs that were deleted.

        :returns: whether there may be more
        :raises Unavailable: if the store cannot be used, or the object store
        """
        if self.objects is None:
            return False
        deleted = ~exists(select(JOBS.c.id).where(JOBS.c.id == PIECES.c.job))
        return self._remove_garbage(self.objects, deleted)

    def _remove_garbage(self, objects: ObjectStore, condition: Any) -> bool:
        """Remove the objects of some pieces, then their rows; so no object is forgotten."""
        query = (
            select(PIECES.c.job, PIECES.c.seq, PIECES.c.whole, PIECES.c.data).where(condition).limit(GARBAGE)
        )
        rows = self._store.run_transaction(lambda connection: connection.execute(query).fetchall(), 0.0)
        if not rows:
            return False
        objects.remove(object_name(job, seq, data) for job, seq, whole, data in rows if whole >= IN_OBJECT)
        removed = or_(*(and_(PIECES.c.job == job, PIECES.c.seq == seq) for job, seq, _, _ in rows))
        self._store.run_transaction(lambda connection: connection.execute(delete(PIECES).where(removed)), 0.0)
        return len(rows) == GARBAGE

    def read_after(self, job_id: str, seq: int) -> list[Piece]:
        """Return the next pieces of a job, in their order; ``PAGE`` at most.

        :param job_id: the id of the job
        :param seq: the number of the last piece that is known already
        :raises Unavailable: if the store cannot be used
        :raises OutputStoreUnavailable: if the content of the next piece cannot be read
        """
        columns = [PIECES.c[name] for name in ("job", "seq", "name", "position", "whole", "data")]
        later = select(*columns).where(PIECES.c.job == job_id, PIECES.c.seq > seq)
        query = later.order_by(PIECES.c.seq).limit(PAGE)
        rows = self._store.run_transaction(lambda connection: connection.execute(query).fetchall())
        contents = {number: data for _, number, _, _, whole, data in rows if whole < IN_OBJECT}
        digests = {
            number: bytes(data)
            for _, number, name, _, whole, data in rows
            if whole >= IN_OBJECT and name != SUPERSEDED
        }
        try:
            contents.update(self._read_objects(job_id, digests))
        except OutputStoreUnavailable:
            first = min(digests)
            if first == rows[0][1]:
                raise
            rows = [row for row in rows if row[1] < first]
        return [
            Piece(job, number, name, position, bool(whole % IN_OBJECT), zlib.decompress(contents[number]))
            if number in contents
            else Piece(job, number, SUPERSEDED, 0, True, b"")
            for job, number, name, position, whole, _ in rows
        ]

    def _read_objects(self, job_id: str, digests: dict[int, bytes]) -> dict[int, bytes]:
        """Return the contents of objects by the numbers of their pieces.

        :param digests: the SHA-256 of each, by the number of its piece
        :raises OutputStoreUnavailable: if one of them cannot be read, or is damaged
        """
        if not digests:
            return {}
        if self.objects is None:
            raise OutputStoreUnavailable(
                f"the output of job {job_id} is in an object store: "
                "set [rest_api_plugin] output_store to its URL"
            )
        names = [object_name(job_id, number, digest) for number, digest in digests.items()]
        contents = dict(zip(digests, self.objects.read(names), strict=True))
        for number, data in contents.items():
            if hashlib.sha256(data).digest() != digests[number]:
                raise OutputStoreUnavailable(
                    f"a part of the output of job {job_id} is damaged in the output store"
                )
        return contents

    def read_extents(self, job_ids: Sequence[str]) -> dict[str, dict[str, Extent]]:
        """Return how far each file of some jobs has been written, by job and name.

        :param job_ids: the ids of the jobs, not more than ``MOST_IDS``
        :raises Unavailable: if the store cannot be used
        """
        end = func.max(PIECES.c.position + PIECES.c.size)
        query = (
            select(PIECES.c.job, PIECES.c.name, func.max(PIECES.c.seq), end)
            .where(PIECES.c.job.in_(job_ids))
            .group_by(PIECES.c.job, PIECES.c.name)
        )
        rows = self._store.run_transaction(lambda connection: connection.execute(query).fetchall(), 0.0)
        extents: dict[str, dict[str, Extent]] = {}
        for job_id, name, seq, size in rows:
            extents.setdefault(job_id, {})[name] = Extent(int(seq), int(size))
        return extents


def existing_jobs(connection: Connection, job_ids: set[str]) -> set[str]:
    """Return which jobs exist."""
    return set(connection.execute(select(JOBS.c.id).where(JOBS.c.id.in_(job_ids))).scalars())


def object_name(job_id: str, seq: int, digest: bytes) -> str:
    """Return the name of an object below the prefix.

    :param job_id: the id of the job
    :param seq: the number of the piece
    :param digest: the SHA-256 of the content
    :raises ValueError: if the id is not that of a job
    """
    int(job_id, 16)  # no path
    return f"{job_id}/{seq:08}-{bytes(digest).hex()}"
