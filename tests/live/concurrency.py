"""Run things at the same time, and wait for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from live.harness import Server

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds after which a test gives up. Nothing takes so long, even on a busy machine."""


def run_concurrently(*calls: Callable[[], T], at_once: int = 4) -> list[T]:
    """Make independent calls at the same time, and return their results in order."""
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        jobs = [pool.submit(call) for call in calls]
    return [job.result() for job in jobs]


def on_both_versions(test: Callable[[Server], None]) -> Callable[[dict[str, Server]], None]:
    """Turn a test of one server into a test that runs on both shared servers at the same time.

    Use it for tests that run several commands in sequence. Each alone would leave a processor idle.
    """

    def side_by_side(main_servers: dict[str, Server]) -> None:
        with ThreadPoolExecutor() as pool:
            jobs = {version: pool.submit(test, server) for version, server in main_servers.items()}
        failed = {version: error for version, job in jobs.items() if (error := job.exception())}
        for version, error in failed.items():
            others = "".join(f"; on {other}: {failed[other]!r}" for other in failed if other != version)
            raise AssertionError(f"on Airflow {version}{others}") from error

    side_by_side.__name__ = test.__name__
    side_by_side.__module__ = test.__module__
    return side_by_side


def wait_until(
    state: str, condition: Callable[[], T | None], seconds: float = PATIENCE, interval: float = 0.05
) -> T:
    """Wait until a condition returns something true, and return that.

    :param state: the awaited state, for the message of a timeout
    :param interval: seconds between two looks, which cost something if each is a command
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(interval)
    raise AssertionError(f"not within {seconds:g} s: {state}")
