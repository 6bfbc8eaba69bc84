"""The agent of a node: a process that connects the spools of one state directory with the shared job store.

Started by ``AgentStarter`` as ``python -m airflow_remote_server.jobs.nodes.agent STATE``. The URL of the
store, which may contain a password, and Airflow's ``fernet_key`` are JSON on its standard input. It does not
depend on the web server: it lives as long as the web server or a command of this node does. After SIGTERM, it
ends once all output is published.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.execution.daemonize import daemonize
from airflow_remote_server.execution.spool import EXIT, Spool
from airflow_remote_server.jobs.models import JobState
from airflow_remote_server.jobs.nodes.agent_starter import LOCK
from airflow_remote_server.jobs.nodes.heartbeats import BEAT_SECONDS, DEAD_SECONDS, Heartbeats
from airflow_remote_server.jobs.nodes.offers import CommandFiles, Offers
from airflow_remote_server.jobs.nodes.pieces import PieceStore
from airflow_remote_server.jobs.nodes.publisher import PUBLISHED, Publisher
from airflow_remote_server.jobs.nodes.stops import StopRequests
from airflow_remote_server.jobs.spools import WATCHER_LOCK, JobSpools
from airflow_remote_server.jobs.store import MOST_IDS, JobStore
from airflow_remote_server.util import locks

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

LOCK_SECONDS = 1.0
"""How long to try to get the lock: a process that tests it may hold it for a moment."""

PUBLISH_SECONDS = 0.25
STOP_SECONDS = 0.5
SWEEP_SECONDS = 60.0
"""How often the agent publishes output, looks for requests to stop, and removes spools of deleted jobs."""

IDLE_SECONDS = 10.0
"""How long the agent stays without a web server and without a running command, in seconds."""

FAILURE_SECONDS = 1.0
"""The pause after the store could not be used, in seconds."""

GAP_SECONDS = DEAD_SECONDS / 2
"""After this time without a heartbeat, other nodes may have given up the jobs of this one."""


class NodeAgent:
    """The work of the agent.

    :param store: the job store
    :param spools: the spools of this node
    :param files: encrypts queued commands for other nodes; None to keep them here
    :param clock: returns the time, in seconds
    """

    def __init__(
        self,
        store: JobStore,
        spools: JobSpools,
        files: CommandFiles | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.spools = spools
        self.publisher = Publisher(spools, store, PieceStore(store))
        self.files = files
        self.offers = Offers(store)
        self.stops = StopRequests(store)
        self.heartbeats = Heartbeats(store)
        self._clock = clock
        self._due = dict.fromkeys(("beat", "stops", "sweep"), 0.0)
        self._last_beat: float | None = None
        self._needed = clock()
        self._ending = False

    def end(self, *_: object) -> None:
        """End once the output of all commands of this node has been published."""
        self._ending = True

    def run(self) -> None:
        """Work until neither a web server nor a command of this node needs the agent."""
        while self.is_needed():
            pause = PUBLISH_SECONDS
            try:
                if self.run_once():
                    pause = 0.0
            except (Unavailable, IntegrityError, OSError) as error:
                print(f"The shared job store cannot be used now: {error}", file=sys.stderr, flush=True)
                pause = FAILURE_SECONDS
            time.sleep(pause)
        with suppress(Unavailable):
            self.heartbeats.remove(self.spools.node)

    def run_once(self) -> bool:
        """Do what is due.

        :returns: whether there is more output to publish at once
        :raises Unavailable: if the store or the state directory cannot be used
        :raises IntegrityError: if another process has published the same
        :raises OSError: if a spool cannot be written
        """
        node = self.spools.node
        if self._is_due("beat", BEAT_SECONDS):
            self.heartbeats.beat(node)
            now = self._clock()
            if self._last_beat is None or now > self._last_beat + GAP_SECONDS:
                self.recover()
            self._last_beat = now
        if self._is_due("stops", STOP_SECONDS):
            self.stops.carry_out(self.spools)
        if self._is_due("sweep", SWEEP_SECONDS):
            self.remove_deleted()
        more = self.publisher.publish()
        if self.files is not None:
            active = [Spool(self.spools.root / job_id) for job_id in self.publisher.active]
            for job_id in self.offers.update(active, node, self.files):
                self.spools.remove(job_id)  # another node has it
        return more

    def _is_due(self, name: str, interval: float) -> bool:
        """Return whether it is time for something, and start its next interval if so."""
        now = self._clock()
        if now < self._due[name]:
            return False
        self._due[name] = now + interval
        return True

    def _unpublished(self) -> list[Spool]:
        return [spool for spool in self.spools.all_spools() if not spool.has(PUBLISHED)]

    def recover(self) -> None:
        """Go on with the jobs that other nodes have given up because this one was cut off.

        Commands that have not started stay lost: their users may have run them again.

        :raises Unavailable: if the store cannot be used
        :raises OSError: if a spool cannot be written
        """
        for start in range(0, len(unpublished := self._unpublished()), MOST_IDS):
            spools = {spool.path.name: spool for spool in unpublished[start : start + MOST_IDS]}
            stored = self.store.get_all(spools)
            lost = [job_id for job_id, job in stored.items() if job.state is JobState.LOST]
            for spool in [spools[job_id] for job_id in lost]:
                if spool.claim() or (spool.withdraw_offer() and spool.claim()):
                    spool.write_end(None, "lost")
                    lost.remove(spool.path.name)
            self.store.revive(self.spools.node, lost)

    def remove_deleted(self) -> None:
        """Remove the spools of jobs that another node has deleted.

        :raises Unavailable: if the store cannot be used
        """
        before = time.time() - SWEEP_SECONDS
        old = []
        for spool in self.spools.all_spools():
            with suppress(OSError):
                if spool.path.stat().st_mtime < before:
                    old.append(spool.path.name)
        for start in range(0, len(old), MOST_IDS):
            part = old[start : start + MOST_IDS]
            known = self.store.get_all(part)
            for job_id in part:
                if job_id not in known and Spool(self.spools.root / job_id).has(EXIT):
                    self.spools.remove(job_id)

    def _has_work(self) -> bool:
        """Return whether a command of this node runs, or has ended and is not published yet."""
        active = (Spool(self.spools.root / job_id) for job_id in self.publisher.active)
        return any(spool.has(EXIT) or spool.is_supervised() for spool in active)

    def is_needed(self) -> bool:
        """Return whether this process is to go on."""
        if self._ending:
            return self._has_work()
        now = self._clock()
        if self._has_work() or locks.is_locked(self.spools.state_dir / WATCHER_LOCK):
            self._needed = now
        return self.spools.root.is_dir() and now < self._needed + IDLE_SECONDS


def main() -> None:
    """Run the agent of a state directory, unless it has one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    state: Path = parser.parse_args().state
    secrets = json.loads(sys.stdin.read())
    lock = locks.acquire(state / LOCK, LOCK_SECONDS)
    if lock is None:
        return
    daemonize()
    logging.basicConfig(format="%(asctime)s %(message)s")
    files = CommandFiles.from_keys(secrets["fernet_key"])
    agent = NodeAgent(JobStore(secrets["url"]), JobSpools(state), files)
    signal.signal(signal.SIGTERM, agent.end)
    agent.run()
    os._exit(0)


if __name__ == "__main__":
    main()
