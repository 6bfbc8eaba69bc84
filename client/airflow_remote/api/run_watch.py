"""Watch a DAG run until it ends, and tell what has changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_remote.errors import WatchTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Run = Mapping[str, Any]

MIN_SECONDS = 1.0
"""How long to wait after a change before the run is read again."""
MAX_SECONDS = 5.0
"""The longest wait; it grows while nothing changes."""
GROWTH = 1.3

ACTIVE = ("queued", "running")
"""The states of a run that has not ended."""


class Pace(NamedTuple):
    """How often a run is read, and how long.

    :param longest: seconds between two reads, at most
    :param timeout: seconds after which to give up; None for never
    :param pause: waits between two reads
    """

    longest: float = MAX_SECONDS
    timeout: float | None = None
    pause: Callable[[float], None] = time.sleep


def watch(fetch: Callable[[], Run], pace: Pace) -> Iterator[Run]:
    """Yield a run as it is now, and again until it has ended.

    :param fetch: returns the run as it is now
    :param pace: how often to read it
    :raises WatchTimeoutError: if it does not end in time
    """
    begun, seconds, before = time.monotonic(), MIN_SECONDS, None
    while True:
        run = fetch()
        yield run
        if has_ended(run):
            return
        now = (run["state"], states_of(run))
        seconds = MIN_SECONDS if now != before else seconds * GROWTH
        before = now
        wait = min(seconds, pace.longest)
        if pace.timeout is not None:
            left = begun + pace.timeout - time.monotonic()
            if left <= 0:
                what = f"run {run['run_id']} of {run['dag_id']}"
                raise WatchTimeoutError(
                    f"{what} is still {run['state']} after {pace.timeout:g} s; it goes on"
                )
            wait = min(wait, left)
        pace.pause(wait)


def has_ended(run: Run) -> bool:
    """Return whether a run has ended.

    :param run: a run of the API
    """
    return run["state"] not in ACTIVE


def states_of(run: Run) -> dict[tuple[str, int], tuple[str | None, int]]:
    """Return the state and the try of each task by its id and map index.

    :param run: a run of the API
    """
    return {
        (task["task_id"], task["map_index"]): (task["state"], task.get("try_number") or 0)
        for task in run["tasks"]
    }


def changed_tasks(before: Run | None, after: Run) -> list[Mapping[str, Any]]:
    """Return the tasks whose state or try has changed.

    :param before: the run as it was; None if it was not known
    :param after: the run as it is
    """
    old = {} if before is None else states_of(before)
    changed = []
    for task in after["tasks"]:
        state, number = task["state"], task.get("try_number") or 0
        was = old.get((task["task_id"], task["map_index"]), (None, 0))
        # A try is counted when its task starts or is queued, which is a change of the state as well.
        if state != was[0] or (state is not None and state == "running" and number != was[1]):
            changed.append(task)
    return changed
