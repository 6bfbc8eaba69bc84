"""Measure the cost of the middleware, and compare commands over HTTP with local commands.

Run by ``make bench``. Both sides are measured in one run, in turns, on a real server; medians are shown, and
ratios, which say more than seconds on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import sys
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

import commands
import load
import memory
import page
import peers
import program
from servers import AIRFLOWS, ROOT, server

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = """# Benchmarks

`make bench WRITE=docs/reference/benchmarks.md` writes this page. The figures are medians of one run on a
2-core machine with SQLite. The two sides of each comparison take turns.

The remaining cost of a command has three parts: copying the memory pages that it writes to after the fork
(4000 to 8000 pages of about 5 µs each), the work in Airflow's database, and, on Airflow 3.3, imports and
statements that happen only at first use. Airflow's own REST API has none of these costs, because it answers
in the process that receives the request.

The test environments contain the cncf.kubernetes provider. With it, Airflow 2.11 imports the Kubernetes
client and its exceptions in every process, which accounts for most of the first column of its memory table.
Without this provider, the fork server needs about 156 MB.

"""


def main() -> None:
    """Run the benchmarks, and print the tables or write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds to take the median of")
    parser.add_argument("--seconds", type=float, default=60, help="how long eight clients run")
    parser.add_argument("--only", choices=tuple(AIRFLOWS), help="one version of Airflow")
    parser.add_argument("--write", type=Path, help="file for the tables, as Markdown")
    options = parser.parse_args()
    parts = [pass_through()]
    for version in [options.only] if options.only else AIRFLOWS:
        with server(version) as running:
            parts.append(f"## Airflow {version}\n\n{commands.measure(running, options.rounds)}")
            parts.append(program.measure(running, options.rounds))
            parts.append(peers.measure(running))
            parts.append(memory.measure(running))
            parts.append(page.measure(running))
            parts.append(load.measure(running, options.seconds))
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.write:
        options.write.write_text(HEADER + text, "utf-8")


def pass_through() -> str:
    """Measure what the middleware adds to a request for another path; return a table."""
    sys.path.insert(0, str(ROOT / "middleware"))
    from airflow_remote_server import RestApiMiddleware

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return []

    wrapped = RestApiMiddleware(app)
    environ: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": "/api/v1/dags/some_dag/dagRuns"}
    bare = microseconds(lambda: app(environ, None))
    with_it = microseconds(lambda: wrapped(environ, None))  # type: ignore[arg-type]
    return (
        "## A request that is not for the API\n\n"
        "| bare application | wrapped | the middleware's cost |\n|---|---|---|\n"
        f"| {bare:.2f} µs | {with_it:.2f} µs | **{with_it - bare:.2f} µs** |"
    )


def microseconds(call: Callable[[], object]) -> float:
    """Return the microseconds of a call: the minimum of several runs, which has the least noise."""
    return min(timeit.repeat(call, number=100_000, repeat=7)) * 10


if __name__ == "__main__":
    main()
