"""Tell which nodes are alive.

Each node increases a number in the shared store. A node whose number stays the same for some time is dead. So
no clocks are compared.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, not_, select, update

from airflow_remote_server._version import __version__
from airflow_remote_server.jobs.node_tables import NODES
from airflow_remote_server.jobs.rows import JOBS, is_of_node
from airflow_remote_server.jobs.statements import IS_ACTIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from airflow_remote_server.jobs.store import JobStore

BEAT_SECONDS = 2.0
"""The interval at which a node increases its number, in seconds."""

DEAD_SECONDS = 15.0
"""After how many seconds without a heartbeat a node is dead."""


class Heartbeats:
    """The heartbeats of one node.

    :param store: the job store
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def beat(self, node: str) -> None:
        """Say that a node is alive.

        :param node: the node, ``ID@HOST``
        :raises Unavailable: if the store cannot be used
        """
        identity, _, host = node.partition("@")

        def write(connection: Connection) -> None:
            values = {"beat": NODES.c.beat + 1, "host": host, "version": __version__}
            if not connection.execute(update(NODES).where(NODES.c.id == identity).values(values)).rowcount:
                first = {"id": identity, "host": host, "beat": 1, "version": __version__}
                connection.execute(insert(NODES), [first])

        self._store.run_transaction(write, retry_for=0.0)


class NodeMonitor:
    """Watches the heartbeats of all nodes.

    :param store: the job store
    :param clock: returns the time, in seconds
    """

    def __init__(self, store: JobStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    def find_dead(self) -> dict[str, str]:
        """Return the host names of the dead nodes, by the ids of the nodes.

        A node counts as alive until this object has watched it for some time.

        :raises Unavailable: if the store cannot be used
        """
        query = select(NODES.c.id, NODES.c.host, NODES.c.beat)
        rows = self._store.run_transaction(lambda connection: connection.execute(query).fetchall())
        now = self._clock()
        seen, dead = {}, {}
        for identity, host, beat in rows:
            known = self._seen.get(identity)
            seen[identity] = known if known is not None and known[0] == beat else (beat, now)
            if now >= seen[identity][1] + DEAD_SECONDS:
                dead[identity] = host
        self._seen = seen
        return dead

    def remove(self, identity: str) -> None:
        """Remove a dead node, unless it has come back or has active jobs.

        :param identity: its id
        :raises Unavailable: if the store cannot be used
        """
        beat = self._seen[identity][0]
        active = exists(select(JOBS.c.id).where(is_of_node(identity), IS_ACTIVE))
        statement = delete(NODES).where(NODES.c.id == identity, NODES.c.beat == beat, not_(active))
        self._store.run_transaction(lambda connection: connection.execute(statement))
