"""Pieces of the files of spools, in the database that all nodes share."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from airflow_remote_server.execution.batch_progress import STATES, TITLES
from airflow_remote_server.execution.spool import EXIT, PROCESS, RESTARTS, RESULT, STOP, STOPPING, STREAMS
from airflow_remote_server.jobs.node_tables import PIECES
from airflow_remote_server.jobs.rows import JOBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from airflow_remote_server.jobs.store import JobStore

PAGE = 16
"""The maximum number of pieces that are read at once, since each may be as large as ``PIECE_BYTES``."""

PIECE_BYTES = 1 << 18
"""The maximum size of a piece that is a part of a file, before it is compressed."""

PUBLISHED_FILES = (PROCESS, RESTARTS, STOP, STOPPING, TITLES, STATES, *STREAMS, RESULT, EXIT)
"""The files of a spool that are published, besides those that the command wrote for its user."""

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
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def append(self, pieces: Sequence[Piece], retry_for: float) -> None:
        """Add pieces in one transaction. A whole file replaces the earlier pieces of its file.

        Pieces of jobs that the store does not have are left out: they were deleted.

        :param pieces: in their order
        :param retry_for: the same as in ``JobStore.run_transaction``
        :raises IntegrityError: if another process publishes the same spool
        :raises Unavailable: if the store cannot be used
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
        replaced = [piece for piece in pieces if piece.whole and piece.seq > 1]

        def write(connection: Connection) -> None:
            ids = {piece.job for piece in pieces}
            known = set(connection.execute(select(JOBS.c.id).where(JOBS.c.id.in_(ids))).scalars())
            for piece in replaced:
                earlier = (PIECES.c.job == piece.job, PIECES.c.name == piece.name, PIECES.c.seq < piece.seq)
                connection.execute(delete(PIECES).where(*earlier))
            existing = [row for row in rows if row["job"] in known]
            if existing:
                connection.execute(insert(PIECES), existing)

        if rows:
            self._store.run_transaction(write, retry_for)

    def read_after(self, job_id: str, seq: int) -> list[Piece]:
        """Return the next pieces of a job, in their order; ``PAGE`` at most.

        :param job_id: the id of the job
        :param seq: the number of the last piece that is known already
        :raises Unavailable: if the store cannot be used
        """
        columns = [PIECES.c[name] for name in ("job", "seq", "name", "position", "whole", "data")]
        later = select(*columns).where(PIECES.c.job == job_id, PIECES.c.seq > seq)
        query = later.order_by(PIECES.c.seq).limit(PAGE)
        rows = self._store.run_transaction(lambda connection: connection.execute(query).fetchall())
        return [
            Piece(job, number, name, position, bool(whole), zlib.decompress(data))
            for job, number, name, position, whole, data in rows
        ]

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
