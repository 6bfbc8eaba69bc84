"""Benchmarks: what the middleware costs, and commands over HTTP beside the same commands run locally.

Run by ``make bench``. Both sides are measured in one run, in turns, on a real server; medians are shown, and
ratios, which say more than seconds on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
AIRFLOWS = {"2.11": ROOT / ".venv/airflow-2.11/bin/python", "3.3": ROOT / ".venv/airflow-3.3/bin/python"}
TOKEN = secrets.token_urlsafe(24)
DAG = "hello_remote"

COMMANDS: tuple[tuple[str, dict[str, str], list[str]], ...] = (
    ("version", {}, ["version"]),
    ("variables", {}, ["variables", "list", "--output=json"]),
    ("pool", {}, ["pools", "list", "--output=json"]),
    ("connections", {}, ["connections", "list", "--output=json"]),
    ("list_dags", {}, ["dags", "list", "--output=json"]),
    ("list_tasks", {"dag_id": DAG}, ["tasks", "list", DAG]),
    ("pause", {"dag_id": DAG}, ["dags", "pause", "--output=json", DAG]),
    ("unpause", {"dag_id": DAG}, ["dags", "unpause", "--output=json", DAG]),
    ("trigger_dag", {"dag_id": DAG}, ["dags", "trigger", "--output=json", DAG]),
    ("dag_state", {"dag_id": DAG, "execution_date": "2024-01-01"}, ["dags", "state", DAG, "2024-01-01"]),
)
"""Endpoint, its arguments, and the same command for the local ``airflow``."""


def main() -> None:
    """Measure, print, and write the table where it was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds to take the median of")
    parser.add_argument("--write", type=Path, help="file for the tables, as Markdown")
    options = parser.parse_args()
    parts = [pass_through()]
    for version in AIRFLOWS:
        parts.append(commands(version, options.rounds))
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.write:
        options.write.write_text(HEADER + text, "utf-8")


HEADER = """# Benchmarks

Written by `make bench WRITE=docs/benchmarks.md`: medians of one run on a 2-core machine, SQLite, both sides
in turns.

"""


def pass_through() -> str:
    """What a request that is not ours pays for the middleware, in microseconds."""
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
    """Microseconds that a call takes; the least of several, since nothing can make it faster than it is."""
    return min(timeit.repeat(call, number=100_000, repeat=7)) * 10


def commands(version: str, rounds: int) -> str:
    """Each command over HTTP and locally, in turns."""
    python = AIRFLOWS[version]
    rows = []
    with server(python) as (url, home):
        session = requests.Session()
        session.headers["rest-api-plugin-http-token"] = TOKEN
        for endpoint, arguments, argv in COMMANDS:
            over_http, local = [], []
            for _ in range(rounds):
                over_http.append(timed(lambda: ask(session, url, endpoint, arguments)))  # noqa: B023 - called at once
                local.append(timed(lambda: run_locally(python, home, argv)))  # noqa: B023
            ours, theirs = statistics.median(over_http), statistics.median(local)
            rows.append(f"| `{' '.join(argv[:2])}` | {ours:.3f} s | {theirs:.3f} s | {theirs / ours:.1f}x |")
            print(f"{version} {rows[-1]}", file=sys.stderr, flush=True)
    head = "| command | through HTTP | local `airflow` | faster by |\n|---|---|---|---|\n"
    return f"## Airflow {version}\n\n{head}" + "\n".join(rows)


def timed(call: Callable[[], None]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ask(session: requests.Session, url: str, endpoint: str, arguments: dict[str, str]) -> None:
    """One request, which must succeed."""
    response = session.post(f"{url}api/v1.0/{endpoint}", json=arguments, timeout=120)
    if response.status_code != 200:
        raise SystemExit(f"{endpoint}: {response.status_code} {response.text[:500]}")
    json.loads(response.text)


def run_locally(python: Path, home: Path, argv: list[str]) -> None:
    """One local command, which must succeed."""
    env = {**os.environ, "AIRFLOW_HOME": str(home)}
    subprocess.run(
        [str(python.with_name("airflow")), *argv],
        env=env,
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def server(python: Path) -> Iterator[tuple[str, Path]]:
    """A real webserver on a throw-away home: its URL and the home."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [str(python), str(ROOT / "examples/serve.py"), "--port=0", f"--home={folder}", "--quiet"]
        process = subprocess.Popen([*argv, f"--token={TOKEN}"], stdout=subprocess.PIPE, text=True)
        try:
            for line in process.stdout or ():
                if line.startswith("ready: "):
                    yield line.split()[1], Path(folder)
                    return
            raise SystemExit(f"the server did not start: exit code {process.wait()}")
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
