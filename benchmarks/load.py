"""Compare eight concurrent clients of this API with eight of Airflow's own REST API, and with local loops."""

from __future__ import annotations

import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from commands import COMMANDS, send_rest
from report import Result, milliseconds, table
from servers import percentile

if TYPE_CHECKING:
    from collections.abc import Callable

    from report import Effort
    from servers import Server

CLIENTS = 8
SLICE = 5.0
"""Seconds until the other side has its turn."""

MIX = [each for each in COMMANDS if each.rest and each.argv and each.title != "tasks list"]
"""`tasks list` is left out: on Airflow 3 the command parses every DAG file, which would dominate the time."""


@dataclass
class Side:
    """One side of the comparison, and what was measured of it.

    :param name: its name in the table
    :param make: returns the function of a client, given its number
    """

    name: str
    make: Callable[[int], Callable[[], None]]
    times: list[float] = field(default_factory=list)
    failures: int = 0
    seconds: float = 0.0

    def run(self, duration: float) -> None:
        """Run all clients for some seconds."""
        start = time.perf_counter()

        def loop(number: int) -> tuple[list[float], int]:
            run, times, failures = self.make(number), [], 0
            while time.perf_counter() < start + duration:
                began = time.perf_counter()
                try:
                    run()
                except Exception as error:  # noqa: BLE001 - any failure counts
                    failures += 1
                    print(f"{self.name} failed: {error}", file=sys.stderr, flush=True)
                else:
                    times.append(time.perf_counter() - began)
            return times, failures

        with ThreadPoolExecutor(CLIENTS) as pool:
            for times, failures in pool.map(loop, range(CLIENTS)):
                self.times += times
                self.failures += failures
        self.seconds += time.perf_counter() - start

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return len(self.times) / self.seconds

    def row(self) -> list[str]:
        """Return its row of the table."""
        return [
            self.name,
            str(len(self.times)),
            str(self.failures),
            f"**{self.rate:.1f}**",
            milliseconds(percentile(self.times, 0.5)),
            milliseconds(percentile(self.times, 0.99)),
        ]


def measure(server: Server, effort: Effort) -> Result:
    """Measure the sides, in turns, and return a table."""

    def remote(number: int) -> Callable[[], None]:
        client, mix = server.client(), itertools.cycle(MIX[number:] + MIX[:number])
        return lambda: next(mix).send(client)

    def rest(number: int) -> Callable[[], None]:
        client, mix = server.rest_client(), itertools.cycle(MIX[number:] + MIX[:number])
        return lambda: send_rest(server, client, next(mix))

    def local(number: int) -> Callable[[], None]:
        mix = itertools.cycle(MIX[number:] + MIX[:number])
        return lambda: server.run_locally(list(next(mix).argv))

    ours, theirs, loops = Side("this API", remote), Side("REST API", rest), Side("local `airflow`", local)
    slices = max(1, round(effort.load_seconds / SLICE))
    for side in (ours, theirs) * slices:
        side.run(effort.load_seconds / slices)
    if effort.local:
        loops.run(effort.load_seconds)
    rows = [side.row() for side in (ours, theirs, loops) if side.times]
    for row in rows:
        print(server.version, *row, sep=" | ", file=sys.stderr, flush=True)
    head = [f"{CLIENTS} clients", "commands", "failures", "per second", "median", "p99"]
    figures = {
        "rate: here": ours.rate,
        "rate: REST": theirs.rate,
        "p99: here": percentile(ours.times, 0.99),
        "p99: REST": percentile(theirs.times, 0.99),
        "failures": float(ours.failures),
    }
    return Result(table(head, rows), figures)
