"""The agent of a node: a process that connects the spools of one state directory with the shared job store.

Started by ``AgentStarter`` as ``python -m airflow_remote_server.jobs.nodes.agent STATE``. The URL of the
store, which may contain a password, Airflow's ``fernet_key``, and the URL of the object store are JSON on its
standard input. It does not depend on the web server: it lives as long as the web server or a command of this
node does. After SIGTERM, it ends once all output is published.
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

from airflow_remote_server.execution.daemonize import daemonize
from airflow_remote_server.execution.spool import EXIT, Spool
from airflow_remote_server.jobs.engine import first_line
from airflow_remote_server.jobs.nodes.agent_starter import LOCK, digest_of
from airflow_remote_server.jobs.nodes.heartbeats import BEAT_SECONDS, Heartbeats
from airflow_remote_server.jobs.nodes.objects import ObjectStore
from airflow_remote_server.jobs.nodes.offers import CommandFiles, Offers
from airflow_remote_server.jobs.nodes.output_thread import OutputThread
from airflow_remote_server.jobs.nodes.pieces import PieceStore
from airflow_remote_server.jobs.nodes.publisher import PUBLISHED, Publisher
from airflow_remote_server.jobs.nodes.stops import StopRequests
from airflow_remote_server.jobs.spools import WATCHER_LOCK, JobSpools
from airflow_remote_server.jobs.store import MOST_IDS, JobStore
from airflow_remote_server.util import locks

if TYPE_CHECKING:
    from collections.abc import Callable

LOCK_SECONDS = 1.0
"""How long to try to get the lock: a process that tests it may hold it for a moment."""

PUBLISH_SECONDS = 0.25
"""How often the agent looks for new output, in seconds."""

STOP_SECONDS = 0.5
"""How often it looks for requests to stop, in seconds."""

RECOVER_SECONDS = 10.0
"""How often it looks for jobs of this node that others have given up, in seconds."""

SWEEP_SECONDS = 60.0
"""How often it removes the spools of deleted jobs, in seconds."""

IDLE_SECONDS = 10.0
"""How long the agent stays without a web server and without a running command, in seconds."""

FAILURE_SECONDS = 1.0
"""The pause after the store could not be used, in seconds."""


class NodeAgent:
    """The work of the agent.

    :param store: the job store
    :param spools: the spools of this node
    :param files: encrypts queued commands for other nodes; None to keep them here
    :param objects: where output goes; None for the database
    :param lock: the descriptor of its lock file
    :param clock: returns the time, in seconds
    """

    def __init__(
        self,
        store: JobStore,
        spools: JobSpools,
        files: CommandFiles | None = None,
        objects: ObjectStore | None = None,
        lock: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.spools = spools
        self.publisher = Publisher(spools, store, PieceStore(store, objects))
        self._output = None if objects is None else OutputThread(self.publisher, objects, spools.state_dir)
        self.files = files
        self.offers = Offers(store)
        self.stops = StopRequests(store)
        self.heartbeats = Heartbeats(store)
        self._lock = lock
        self._clock = clock
        self._due = dict.fromkeys(("beat", "stops", "recover", "sweep"), 0.0)
        self._needed = clock()
        self._reported = ""
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
            except Exception as error:  # noqa: BLE001 - the agent must go on
                self._report(error)
                pause = FAILURE_SECONDS
            time.sleep(pause)

    def _report(self, error: Exception) -> None:
        """Write why something failed to the log, unless it was the last thing that failed, too."""
        message = f"{type(error).__name__}: {first_line(error)}"
        if message != self._reported:
            self._reported = message
            with suppress(OSError):  # the disk may be full
                print(
                    f"The spools of this node cannot be published now: {message}", file=sys.stderr, flush=True
                )

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
        if self._is_due("recover", RECOVER_SECONDS):
            self.recover()
        if self._is_due("stops", STOP_SECONDS):
            self.stops.carry_out(self.spools)
        if self._is_due("sweep", SWEEP_SECONDS):
            self.remove_deleted()
        more = self.publisher.publish() if self._output is None else self._output.publish()
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

    def recover(self) -> None:
        """Go on with the jobs that other nodes have given up because this one was cut off.

        Commands that have not started stay lost: their users may have run them again.

        :raises Unavailable: if the store cannot be used
        :raises OSError: if a spool cannot be written
        """
        lost = self.store.lost_ids(self.spools.node)
        given_up = []
        for spool in self.spools.all_spools() if lost else ():
            if spool.path.name not in lost or spool.has(PUBLISHED):
                continue
            if spool.claim() or (spool.withdraw_offer() and spool.claim()):
                spool.write_end(None, "lost")
            else:
                given_up.append(spool.path.name)
        for start in range(0, len(given_up), MOST_IDS):
            self.store.revive(self.spools.node, given_up[start : start + MOST_IDS])
        if given_up:
            self.publisher.forget_starts()

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
            for job_id in set(part) - self.store.known_ids(part):
                if not Spool(self.spools.root / job_id).is_supervised():
                    self.spools.remove(job_id)

    def _has_work(self) -> bool:
        """Return whether a command of this node runs, or has ended and is not published yet."""
        active = (Spool(self.spools.root / job_id) for job_id in self.publisher.active)
        return self.publisher.unsure or any(spool.has(EXIT) or spool.is_supervised() for spool in active)

    def is_needed(self) -> bool:
        """Return whether this process is to go on."""
        if self._lock is not None and os.fstat(self._lock).st_nlink == 0:
            return False  # the state directory was removed, and another agent may run
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
    text = sys.stdin.buffer.read()
    secrets = json.loads(text)
    lock = locks.acquire(state / LOCK, LOCK_SECONDS)
    if lock is None:
        return
    os.ftruncate(lock, 0)  # it names the last agent
    daemonize()
    logging.disable()  # the agent reports what fails, once
    os.pwrite(lock, json.dumps([os.getpid(), digest_of(text)]).encode(), 0)
    files = CommandFiles.from_keys(secrets["fernet_key"])
    objects = ObjectStore(secrets["output_url"]) if secrets["output_url"] else None
    agent = NodeAgent(JobStore(secrets["url"]), JobSpools(state), files, objects, lock)
    signal.signal(signal.SIGTERM, agent.end)
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))  # the next agent continues
    agent.run()
    os._exit(0)


if __name__ == "__main__":
    main()
