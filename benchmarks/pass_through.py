"""Measure what the middleware adds to a request for another path."""

from __future__ import annotations

import sys
import timeit
from typing import TYPE_CHECKING, Any

from report import Result, table
from servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from report import Effort
    from servers import Server


def measure(server: Server, effort: Effort) -> Result:
    """Measure an application with and without the middleware, in this process."""
    sys.path.insert(0, str(ROOT / "middleware"))
    from airflow_remote_server import RestApiMiddleware

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return []

    wrapped = RestApiMiddleware(app)
    environ: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": "/api/v1/dags/some_dag/dagRuns"}
    bare = microseconds(lambda: app(environ, None))
    with_it = microseconds(lambda: wrapped(environ, None))  # type: ignore[arg-type]
    row = [f"{bare:.2f} µs", f"{with_it:.2f} µs", f"**{with_it - bare:.2f} µs**"]
    return Result(table(["bare application", "wrapped", "the middleware's cost"], [row]))


def microseconds(call: Callable[[], object]) -> float:
    """Return the microseconds of a call: the minimum of several runs, which has the least noise."""
    return min(timeit.repeat(call, number=100_000, repeat=7)) * 10
