"""Compare many commands in one request with as many requests to Airflow's own REST API."""

from __future__ import annotations

import itertools
import json
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from report import Result, table
from servers import DAG, compare, seconds

if TYPE_CHECKING:
    from report import Effort
    from servers import Client, Server

PARALLEL = 4
ROUNDS = 3
WAIT = {"Prefer": "wait=108"}
"""The longest wait by default: otherwise, a sync worker would end its answer after a few seconds."""


def measure(server: Server, effort: Effort) -> Result:
    """Pause and unpause a DAG many times with both APIs, in turns, and return a table."""
    client, rest = server.client(), server.rest_client()
    try:
        send_batch(client, 2)
    except HTTPException as error:
        if " 404 " not in str(error):
            raise
        return Result("Not available: this version has no `POST /batch`.")
    count = effort.batch
    ours, theirs = compare(partial(send_batch, client, count), partial(send_rest, rest, count), ROUNDS)
    together = seconds(partial(send_batch, client, count, PARALLEL))
    rows = [
        ["one batch", f"**{ours:.2f} s**", per_command(ours, count)],
        [f"one batch, `parallel` {PARALLEL}", f"{together:.2f} s", per_command(together, count)],
        [f"{count} requests `PATCH` to the REST API", f"{theirs:.2f} s", per_command(theirs, count)],
    ]
    figures = {"batch: here": ours, "batch: REST": theirs, "batch: count": float(count)}
    return Result(table([f"{count} x `dags pause` or `dags unpause`", "", "each"], rows), figures)


def per_command(seconds: float, count: int) -> str:
    """Return the time of one command."""
    return f"{seconds / count * 1000:.1f} ms"


def send_batch(client: Client, count: int, parallel: int | None = None) -> None:
    """Send commands in one request; all must succeed."""
    names = itertools.islice(itertools.cycle(("pause", "unpause")), count)
    body: dict[str, Any] = {
        "commands": [{"command": f"dags {name}", "arguments": {"dag_id": DAG}} for name in names],
        **({"parallel": parallel} if parallel else {}),
    }
    lines = client.send("POST", "batch", body, WAIT).splitlines()
    envelopes = [each for each in map(json.loads, lines) if "exit_code" in each]
    bad = [each for each in envelopes if each["exit_code"] != 0]
    if bad or len(envelopes) != count:
        raise RuntimeError(f"{len(envelopes)} of {count} ended, {len(bad)} failed: {bad[:1] or lines[:1]}")


def send_rest(rest: Client, count: int) -> None:
    """Send as many requests to the REST API."""
    for number in range(count):
        rest.send("PATCH", f"dags/{DAG}", {"is_paused": number % 2 == 0})
