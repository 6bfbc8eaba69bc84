"""Publish output to an object store in a thread of its own.

The store may be slow, or not answer at all. The agent itself must go on: without its heartbeats, the node
would count as dead.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from airflow_remote_server.jobs.nodes.objects import OutputStoreUnavailable, complete
from airflow_remote_server.util.atomic_files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_remote_server.jobs.nodes.objects import ObjectStore
    from airflow_remote_server.jobs.nodes.publisher import Publisher

STATUS = "output-store.json"
"""File in the state directory that says why the object store cannot be used; "" if it can."""

PROBE = "airflow-remote-probe"
"""The object that agents write and read when they start, to find a wrong configuration early."""

GARBAGE_SECONDS = 15.0
"""How often to look for objects of deleted jobs, in seconds."""


class OutputThread:
    """Runs a publisher in a thread, one call at a time.

    :param publisher: publishes the output of this node
    :param objects: where the output goes
    :param state_dir: the state directory
    """

    def __init__(self, publisher: Publisher, objects: ObjectStore, state_dir: Path) -> None:
        self._publisher = publisher
        self._objects = objects
        self._status = state_dir / STATUS
        self._reported: str | None = None
        self._probed = False
        self._garbage = 0.0
        self._call: Future[bool] | None = None

    def publish(self) -> bool:
        """Start publishing what is new, unless that goes on already.

        :returns: whether the last call left something that is to be published at once
        :raises Unavailable: if the job store could not be used
        """
        if self._call is not None and not self._call.done():
            return False
        ended, self._call = self._call, Future()
        Thread(target=complete, args=(self._call, self._work), name="publisher", daemon=True).start()
        return ended is not None and ended.result()

    def _work(self) -> bool:
        """Publish, remove objects that are no longer needed, and note whether the object store works."""
        more, problem = False, ""
        try:
            if not self._probed and self._objects.is_ready():
                self._objects.write({PROBE: b"airflow-remote\n"})
                self._objects.read([PROBE])
                self._probed = True
            more = self._publisher.publish()
            if time.monotonic() >= self._garbage and self._objects.is_ready():
                more_garbage = self._publisher.pieces.remove_garbage()
                if not more_garbage:
                    self._garbage = time.monotonic() + GARBAGE_SECONDS
        except OutputStoreUnavailable as error:
            problem = error.message
        self._report(problem or self._objects.problem)
        return more

    def _report(self, problem: str) -> None:
        """Write a change of the state to the log, and to the file that the web workers read."""
        if problem == self._reported:
            return
        with suppress(OSError):  # the disk may be full
            write_atomically(self._status, json.dumps({"problem": problem}))
            if problem or self._reported:
                print(problem or "the output store can be used again", file=sys.stderr, flush=True)
            self._reported = problem


def read_problem(state_dir: Path) -> str:
    """Return why the object store cannot be used, as the agent has found; "" if it can, or nobody knows.

    :param state_dir: the state directory
    """
    try:
        found = json.loads((state_dir / STATUS).read_text("utf-8"))
        return str(found["problem"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
