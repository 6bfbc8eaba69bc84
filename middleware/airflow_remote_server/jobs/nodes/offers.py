"""Offer queued commands to the other nodes, which take them over if this node dies.

A command that is offered cannot start: its node first withdraws the offer, in the database. So a command runs
once, even if its node was only cut off. The next commands of the queue are never offered, so that the queue
does not wait for the database.
"""

from __future__ import annotations

import base64
import json
import logging
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, select, update

from airflow_remote_server.execution.spool import (
    BATCH,
    COMMAND,
    FILES,
    JOB,
    OFFERED,
    STREAMS,
    UPLOAD,
    Spool,
)
from airflow_remote_server.jobs.models import JobState, directory_id
from airflow_remote_server.jobs.node_tables import OFFERS
from airflow_remote_server.jobs.rows import JOBS, is_of_node

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from airflow_remote_server.jobs.store import JobStore

log = logging.getLogger(__name__)

NEXT = 32
"""How many commands at the head of the queue are not offered."""

QUEUED_SECONDS = 1.0
"""How long a command must have been queued before it is offered, in seconds."""

AT_ONCE = 100
"""The maximum number of offers in one transaction."""

LARGEST = 1 << 20
"""The maximum size of the files of a command that is offered, in bytes."""


class CommandFiles:
    """Turns the files of a queued command into an encrypted text, and back.

    :param keys: Airflow's ``fernet_key``, which all its machines share; several are separated by commas
    :raises ValueError: if a key is invalid
    """

    def __init__(self, keys: str) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # not needed without a shared store

        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")])

    @classmethod
    def from_keys(cls, keys: str) -> CommandFiles | None:
        """Return an object for Airflow's ``fernet_key``; None if there is none that can be used."""
        try:
            return cls(keys) if keys else None
        except ValueError as error:
            log.warning("Queued commands are not offered to other nodes: [core] fernet_key: %s", error)
            return None

    def pack(self, spool: Spool, largest: int = LARGEST) -> bytes | None:
        """Return the files of an offered command; None if they are too large.

        :param spool: its spool
        :param largest: their maximum size, encoded, in bytes
        :raises OSError: if they cannot be read
        """
        files = {}
        for path in spool.path.iterdir():
            if path.name in (JOB, OFFERED) or path.name.startswith(UPLOAD):
                files[path.name] = base64.b64encode(path.read_bytes()).decode()
        content = json.dumps({"path": str(spool.path), "files": files, "writes": spool.has(FILES)})
        return self._fernet.encrypt(content.encode()) if len(content) <= largest else None

    def unpack(self, data: bytes, target: Path) -> None:
        """Write the files of a command into a new spool; the command can be claimed in the end.

        :param data: what ``pack`` returned
        :param target: the empty directory of the spool
        :raises OSError: if they cannot be written
        :raises ValueError: if they were encrypted with another key, or are damaged
        """
        from cryptography.fernet import InvalidToken

        try:
            content: dict[str, Any] = json.loads(self._fernet.decrypt(data))
        except InvalidToken as error:
            raise ValueError("it was encrypted with another fernet_key") from error
        if PurePath(content["path"]).name != target.name:
            raise ValueError("it is the offer of another job")
        for stream in STREAMS:
            (target / stream).touch(0o600)
        if content["writes"]:
            (target / FILES).mkdir(0o700)
        # Not to a file: the agent of this node would take that for an offer of its own.
        command = json.loads(base64.b64decode(content["files"].pop(OFFERED)))
        for name, text in content["files"].items():
            if name == JOB or (name.startswith(UPLOAD) and "/" not in name):
                path = target / name
                path.touch(0o600)
                path.write_bytes(base64.b64decode(text))
        # The paths of uploaded files are arguments.
        command["argv"] = [word.replace(content["path"], str(target)) for word in command["argv"]]
        Spool(target).write(COMMAND, command)


class Offers:
    """Offers of all nodes.

    :param store: the job store
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def update(self, spools: Iterable[Spool], node: str, files: CommandFiles | None) -> list[str]:
        """Offer the commands at the end of this node's queue, and withdraw the offers of the next ones.

        :param spools: the spools of this node whose commands have not ended
        :param node: this node
        :param files: encrypts the commands; None to offer none
        :returns: the ids of jobs that belong to another node now, or were deleted
        :raises Unavailable: if the store cannot be used
        """
        queue = sorted(
            (spool for spool in spools if spool.has(COMMAND) or spool.has(OFFERED)),
            key=lambda spool: spool.path.name,
        )
        kept, offered = [], []
        for place, spool in enumerate(queue):
            if files is None or place < NEXT or spool.requested_stop():
                kept.append(spool)
            elif is_offerable(spool):
                offered.append(spool)
        gone = self._withdraw([spool for spool in kept if spool.has(OFFERED)][:AT_ONCE], node)
        if files is not None:
            self._offer(offered[:AT_ONCE], node, files)
        return gone

    def _offer(self, spools: list[Spool], node: str, files: CommandFiles) -> None:
        rows = []
        for spool in spools:
            if not spool.offer():
                continue
            data = files.pack(spool)
            if data is None:
                spool.withdraw_offer()
            else:
                rows.append({"job": spool.path.name, "node": directory_id(node), "data": data})
        if rows:
            self._store.run_transaction(lambda connection: connection.execute(insert(OFFERS), rows), 0.0)

    def _withdraw(self, spools: list[Spool], node: str) -> list[str]:
        if not spools:
            return []
        ids = [spool.path.name for spool in spools]

        def withdraw(connection: Connection) -> set[str]:
            offered = and_(OFFERS.c.job.in_(ids), OFFERS.c.node == directory_id(node))
            connection.execute(delete(OFFERS).where(offered))
            own = select(JOBS.c.id).where(JOBS.c.id.in_(ids), is_of_node(node))
            return set(connection.execute(own).scalars())

        kept = self._store.run_transaction(withdraw, 0.0)
        for spool in spools:
            if spool.path.name in kept:
                spool.withdraw_offer()
        return [job_id for job_id in ids if job_id not in kept]

    def take(self, dead: str, node: str) -> dict[str, bytes] | None:
        """Take over commands of a dead node.

        :param dead: the dead node
        :param node: the node that is to run them
        :returns: the files of queued commands by the ids of their jobs; None if there are no offers
        :raises Unavailable: if the store cannot be used
        """

        def take(connection: Connection) -> dict[str, bytes] | None:
            offered = select(OFFERS.c.job, OFFERS.c.data).where(OFFERS.c.node == directory_id(dead))
            query = offered.order_by(OFFERS.c.job).limit(AT_ONCE).with_for_update()
            found = {job_id: bytes(data) for job_id, data in connection.execute(query)}
            if not found:
                return None
            ids = JOBS.c.id.in_(list(found))
            queued = and_(ids, JOBS.c.state == JobState.QUEUED.value, is_of_node(dead))
            taken = connection.execute(select(JOBS.c.id).where(queued).with_for_update()).scalars().all()
            connection.execute(delete(OFFERS).where(OFFERS.c.job.in_(list(found))))
            connection.execute(update(JOBS).where(queued).values(node=node))
            return {job_id: found[job_id] for job_id in taken}

        return self._store.run_transaction(take)


def is_offerable(spool: Spool) -> bool:
    """Return whether a queued command is to be offered: it has waited for some time, and is not a batch."""
    return spool.seconds_unclaimed() > QUEUED_SECONDS and not spool.has(BATCH)
