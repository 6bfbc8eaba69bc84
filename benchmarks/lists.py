"""Measure a page of the lists of jobs and of the audit log, when both are long."""

from __future__ import annotations

import json
import statistics
from functools import partial
from typing import TYPE_CHECKING

from report import Result, milliseconds, table
from servers import seconds

if TYPE_CHECKING:
    from report import Effort
    from servers import Server

ROUNDS = 21
SPACING = 1000
"""Microseconds between two rows: all are new enough to be kept."""

TABLES = ("airflow_remote_job", "airflow_remote_audit")

PAGES = (
    ("`jobs`, the newest 50", "jobs?limit=50"),
    ("`jobs`, 50 from the middle", "jobs?limit=50&before={middle}"),
    ("`jobs`, the newest 500", "jobs?limit=500"),
    ("`jobs` that failed, which are few", "jobs?limit=50&state=failed"),
    ("`jobs` of one command", "jobs?limit=50&command=version"),
    ("`audit`, the newest 50", "audit?limit=50"),
    ("`audit`, 50 from the middle", "audit?limit=50&before={middle}"),
    ("`audit`, one peer without entries", "audit?limit=50&peer=192.0.2.1"),
)


def measure(server: Server, effort: Effort) -> Result:
    """Fill the tables, and measure pages of both lists."""
    client = server.client()
    client.send("POST", "version", {})
    oldest = client.fetch("GET", "jobs?limit=500")["jobs"][-1]["id"]
    fill(server, oldest, effort.rows)
    middle = f"{int(oldest[:14], 16) - effort.rows // 2 * SPACING:014x}"
    rows, times = [], []
    for title, path in PAGES:
        get = partial(client.send, "GET", path.format(middle=middle))
        if title.endswith("50") or "middle" in title:
            (page,) = (value for value in json.loads(get()).values() if isinstance(value, list))
            assert len(page) == 50, title  # noqa: S101 - a bug of the benchmark
        took = statistics.median(seconds(get) for _ in range(ROUNDS))
        rows.append([title, milliseconds(took)])
        times.append(took)
    return Result(table([f"a page of {effort.rows:,} rows", ""], rows), {"lists: slowest": max(times)})


def fill(server: Server, oldest: str, count: int) -> None:
    """Copy a row of each table many times, as older ones.

    :param oldest: the ID of the oldest job so far
    :param count: how many rows
    """
    first = int(oldest[:14], 16)
    with server.store() as database:
        for name in TABLES:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({name})")]
            width = max(1, len(oldest) - 14)
            new = {
                "id": f"printf('%014x%0{width}x', {first} - number * {SPACING}, number)",
                "key": "NULL",
                "state": "CASE WHEN number % 5000 = 0 THEN 'failed' ELSE 'succeeded' END",
                "started": f"created - number * {SPACING} / 1e6",
                "created": f"created - number * {SPACING} / 1e6",
                "ended": f"created + 0.1 - number * {SPACING} / 1e6",
                "time": f"time - number * {SPACING} / 1e6",
            }
            values = ", ".join(new.get(column, column) for column in columns)
            database.execute(
                f"INSERT INTO {name} ({', '.join(columns)}) "  # noqa: S608 - all from this file
                "WITH RECURSIVE numbers(number) AS "
                "(SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?) "
                f"SELECT {values} FROM (SELECT * FROM {name} WHERE state = 'succeeded' ORDER BY id LIMIT 1), "
                "numbers",
                (count,),
            )
