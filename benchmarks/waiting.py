"""Measure how quick Airflow's own pages stay while 40 clients wait for commands that last.

Run alone, it starts Airflow 2.11 with the default of four gunicorn workers, of the kind ``sync``, and
Airflow 3.3 with its single uvicorn worker.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
from servers import AIRFLOWS, TOKEN, Server, seconds, server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENTS = 40
REQUESTS = 200
"""Requests to each page, with and without clients."""

RUNNING = 16
"""How many commands run at once, by default; the others are queued."""

KILLED = -9
"""The exit code of the commands, which are stopped at the end."""

START_SECONDS, SETTLE_SECONDS = 300, 5
LONGEST = 2.0
"""The target: how many times the p99 may be with waiting clients."""

DAG_ID, TASK_ID = "waiting_benchmark", "sleeps"
DAG_FILE = f'''
import time
from datetime import datetime

try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task


@dag(dag_id="{DAG_ID}", schedule=None, start_date=datetime(2024, 1, 1))
def waiting():
    @task
    def {TASK_ID}():
        time.sleep(3600)

    {TASK_ID}()


waiting()
'''


def measure(server: Server) -> str:
    """Measure pages without and with waiting clients, and return a table.

    :param server: the server to measure
    """
    pages = pages_of(server)
    for page in pages.values():
        for _ in range(20):
            page()  # the first requests of each worker are slow
    alone = take_times(pages)
    with waiting_clients(server):
        waiting = take_times(pages)
    for name, times in take_times(pages).items():  # again, because the machine does other things as well
        alone[name] += times
    rows = []
    for name in pages:
        before, after = percentiles(alone[name]), percentiles(waiting[name])
        rows.append(
            f"| {name} | {before[0] * 1000:.0f} ms | {after[0] * 1000:.0f} ms | {before[1] * 1000:.0f} ms | "
            f"{after[1] * 1000:.0f} ms | **{after[1] / before[1]:.1f}x** | {LONGEST:g}x at most |"
        )
        print(f"{server.version} {rows[-1]}", file=sys.stderr, flush=True)
    head = (
        f"| Airflow's pages, with {CLIENTS} clients that wait | median without | with | p99 without | with "
        "| p99 slower by | target |\n|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows)


def pages_of(server: Server) -> dict[str, Callable[[], None]]:
    """Return functions that request a page of Airflow, by its name."""
    session = requests.Session()
    if server.version.startswith("2."):
        login = f"{server.airflow_url}/login/"
        form = session.get(login, timeout=60).text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        if token is None:
            raise SystemExit("Airflow's login form has no token")
        credentials = {"username": "admin", "password": "admin", "csrf_token": token[1]}
        session.post(login, data=credentials, timeout=60).raise_for_status()
        paths = {"health": "/health", "list of DAGs": "/home"}
    else:
        token = session.get(f"{server.airflow_url}/auth/token", timeout=60).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        paths = {"health": "/api/v2/monitor/health", "list of DAGs": "/api/v2/dags"}

    def request(path: str) -> Callable[[], None]:
        return lambda: session.get(server.airflow_url + path, timeout=120).raise_for_status()

    return {name: request(path) for name, path in paths.items()}


def take_times(pages: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Return the seconds of requests to each page, which are sent in turns."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(REQUESTS):
        for name, page in pages.items():
            times[name].append(seconds(page))
    return times


def percentiles(times: list[float]) -> tuple[float, float]:
    """Return the median and the p99."""
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


@contextmanager
def waiting_clients(server: Server) -> Iterator[None]:
    """Let clients wait for commands during the context; they are a process of their own."""
    (server.home / "dags").mkdir(exist_ok=True)
    (server.home / "dags" / f"{DAG_ID}.py").write_text(DAG_FILE, "utf-8")
    server.run_locally(["dags", "reserialize"])  # Airflow 3 finds no DAG file by itself
    clients = subprocess.Popen([sys.executable, __file__, "--follow", server.airflow_url, "--token", TOKEN])
    try:
        deadline = time.monotonic() + START_SECONDS
        while len(jobs(server, "running")) < RUNNING or len(jobs(server, "queued")) < CLIENTS - RUNNING:
            if time.monotonic() > deadline or clients.poll() is not None:
                raise SystemExit(f"Airflow {server.version}: the commands of the clients do not run")
            time.sleep(1)
        time.sleep(SETTLE_SECONDS)
        yield
    finally:
        while jobs(server, "queued") + (running := jobs(server, "running")):
            for job_id in running or jobs(server, "queued"):
                stop = f"{server.url}api/v1.0/jobs/{job_id}/stop"
                server.session().post(stop, json={"force": True}, timeout=60)
        clients.wait(60)


def jobs(server: Server, state: str) -> list[str]:
    """Return the ids of the jobs in a state."""
    response = server.session().get(f"{server.url}api/v1.0/jobs", params={"state": state}, timeout=60)
    return [job["id"] for job in response.json()["jobs"]]


def follow(url: str, token: str) -> None:
    """Run as many clients as threads, each of which follows a command that lasts to its end."""
    from airflow_remote.client import Client
    from airflow_remote.errors import CommandFailedError, RemoteError

    def run(number: int) -> None:
        date = f"2024-01-01T00:{number:02}:00"
        arguments = {"dag_id": DAG_ID, "task_id": TASK_ID, "execution_date": date}
        try:
            Client(url, token).run("test", arguments, on_output=lambda *_: None)
        except CommandFailedError as error:
            if error.result.exit_code != KILLED:
                print(f"a command failed: {error}", file=sys.stderr, flush=True)
        except RemoteError as error:
            print(f"a client failed: {error}", file=sys.stderr, flush=True)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Run this benchmark alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=tuple(AIRFLOWS), help="one version of Airflow")
    parser.add_argument("--follow", help="the URL of a server: only be its clients")
    parser.add_argument("--token", default="", help="the token of the clients")
    options = parser.parse_args()
    if options.follow:
        follow(options.follow, options.token)
        return
    os.environ["AIRFLOW__WEBSERVER__WORKERS"] = "4"  # Airflow 2's default
    for version in [options.only] if options.only else AIRFLOWS:
        with server(version) as running:
            print(f"## Airflow {version}\n\n{measure(running)}\n", flush=True)


if __name__ == "__main__":
    main()
