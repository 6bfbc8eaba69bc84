"""Compare eight concurrent clients with eight loops of the local command line."""

from __future__ import annotations

import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

CLIENTS = 8
MIX = [command for command in COMMANDS if command[0] != "list_tasks"]
"""`tasks list` is left out: it parses every DAG file, which would dominate its time."""


def measure(server: Server, duration: float) -> str:
    """Measure both sides, and return a table.

    :param server: the server to measure
    :param duration: the seconds for each side
    """

    def remote(number: int) -> Callable[[], None]:
        session, mix = server.session(), itertools.islice(itertools.cycle(MIX), number, None)

        def one() -> None:
            endpoint, arguments, _ = next(mix)
            server.run_remotely(session, endpoint, arguments)

        return one

    def local(number: int) -> Callable[[], None]:
        mix = itertools.islice(itertools.cycle(MIX), number, None)
        return lambda: server.run_locally(next(mix)[2])

    rows, rates = [], []
    for name, make in (("through HTTP", remote), ("local `airflow`", local)):
        times, failures, took = loops(make, duration)
        times.sort()
        rates.append(len(times) / took)
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
        rows.append(
            f"| {name} | {len(times)} | {failures} | {rates[-1]:.2f} | "
            f"{times[len(times) // 2]:.2f} s | {p99:.2f} s |"
        )
        print(f"{server.version} {rows[-1]}", file=sys.stderr, flush=True)
    head = "| eight at once | commands | failures | per second | median | p99 |\n|---|---|---|---|---|---|\n"
    return f"{head}{chr(10).join(rows)}\n\n**{rates[0] / rates[1]:.0f} times** the commands per second."


def loops(make: Callable[[int], Callable[[], None]], duration: float) -> tuple[list[float], int, float]:
    """Run a function repeatedly in eight threads.

    :param make: returns the function of a thread, given its number
    :param duration: seconds
    :returns: seconds of each run that did not fail, how many failed, and seconds of all
    """
    start = time.perf_counter()
    failures = itertools.count()

    def loop(number: int) -> list[float]:
        run, times = make(number), []
        while time.perf_counter() < start + duration:
            began = time.perf_counter()
            try:
                run()
            except (SystemExit, Exception) as error:  # noqa: BLE001 - any failure counts
                next(failures)
                print(f"failed: {error}", file=sys.stderr, flush=True)
            else:
                times.append(time.perf_counter() - began)
        return times

    with ThreadPoolExecutor(CLIENTS) as pool:
        times = [time_ for each in pool.map(loop, range(CLIENTS)) for time_ in each]
    return times, next(failures), time.perf_counter() - start
