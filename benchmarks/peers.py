"""Compare with Airflow's own REST API on the same server."""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
from servers import DAG, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

ROUNDS = 21


def measure(server: Server) -> str:
    """Measure a POST and a GET with both APIs, in turns, and return a table."""
    session, own = server.session(), requests.Session()
    if server.version.startswith("2."):
        own.auth = ("admin", "admin")
        base, body = f"{server.airflow_url}/api/v1", {}
    else:
        token = own.get(f"{server.airflow_url}/auth/token", timeout=60).json()["access_token"]
        own.headers["Authorization"] = f"Bearer {token}"
        base, body = f"{server.airflow_url}/api/v2", {"logical_date": None}

    def request(method: str, path: str, **more: Any) -> Callable[[], None]:
        def call() -> None:
            own.request(method, base + path, timeout=60, **more).raise_for_status()

        return call

    rows = []
    for title, ours, theirs in (
        (
            "trigger a DAG",
            ("trigger_dag", {"dag_id": DAG}),
            request("POST", f"/dags/{DAG}/dagRuns", json=body),
        ),
        ("list the variables", ("variables", {}), request("GET", "/variables")),
    ):
        theirs()
        send = partial(server.run_remotely, session, *ours)
        times = [(seconds(send), seconds(theirs)) for _ in range(ROUNDS)]
        one, two = (statistics.median(side) for side in zip(*times))
        rows.append(f"| {title} | {one * 1000:.0f} ms | {two * 1000:.0f} ms | {one / two:.1f} |")
    head = "| | this API | Airflow's REST API | ratio |\n|---|---|---|---|\n"
    return head + "\n".join(rows)
