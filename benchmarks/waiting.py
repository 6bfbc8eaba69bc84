"""Measure how quick Airflow's own pages stay while 40 clients wait for commands that last.

Airflow 2.11 has four gunicorn workers, of the kind ``sync``, and Airflow 3.3 has a single uvicorn worker.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
from report import Result, milliseconds, table
from servers import TOKEN, WORKERS, percentile, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from report import Effort
    from servers import Server

CLIENTS = 40
RUNNING = 16
"""How many commands run at once, by default; the others are queued."""

KILLED = -9
"""The exit code of the commands, which are stopped at the end."""

START_SECONDS = 300
SETTLE_SECONDS = 5
"""Time for the last of them to become idle, and for the clients that do not find a slot to ask less often."""

SLEEPING = "sleeping-{}"
"""The name of the file of each task that has begun to sleep."""

DAG_ID, TASK_ID = "waiting_benchmark", "sleeps"
DAG_FILE = f'''
import os
import time
from datetime import datetime
from pathlib import Path

try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task


@dag(dag_id="{DAG_ID}", schedule=None, start_date=datetime(2024, 1, 1))
def waiting():
    @task
    def {TASK_ID}():
        Path(os.environ["AIRFLOW_HOME"], "{SLEEPING}".format(os.getpid())).touch()
        time.sleep(3600)

    {TASK_ID}()


waiting()
'''


def measure(server: Server, effort: Effort) -> Result:
    """Measure pages without and with waiting clients."""
    pages = pages_of(server)
    warm_up(server, pages)
    alone = take_times(pages, effort.pages)
    with waiting_clients(server):
        # As many as the others together, so that rare events, such as a garbage collection, weigh the same.
        waiting = take_times(pages, 2 * effort.pages)
    again = take_times(pages, effort.pages)  # because the machine may do other things as well
    rows, ratios = [], []
    for name in pages:
        sides = (alone[name] + again[name], waiting[name])
        median, p99 = ([percentile(side, share) for side in sides] for share in (0.5, 0.99))
        ratios.append(p99[1] / p99[0])
        rows.append([name, *map(milliseconds, (*median, *p99)), f"**{ratios[-1]:.1f}**"])
        print(server.version, *rows[-1], sep=" | ", file=sys.stderr, flush=True)
    head = [f"with {CLIENTS} clients that wait", "median without", "with", "p99 without", "with", "ratio"]
    return Result(table(head, rows), {"waiting: ratio": max(ratios)})


def warm_up(server: Server, pages: dict[str, Callable[[], None]]) -> None:
    """Request each page from all workers, whose first requests are slow.

    Requests in turns would all go to the same worker. The others would get their first ones later, from the
    waiting clients or beside them.
    """
    workers = WORKERS[server.version]
    with ThreadPoolExecutor(2 * workers) as clients:
        for page in pages.values():
            for done in [clients.submit(page) for _ in range(40 * workers)]:
                done.result()


def pages_of(server: Server) -> dict[str, Callable[[], None]]:
    """Return functions that request a page of Airflow, by its name."""
    session = requests.Session()
    if server.version.startswith("2."):
        login = f"{server.airflow_url}/login/"
        form = session.get(login, timeout=60).text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        if token is None:
            raise RuntimeError("Airflow's login form has no token")
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


def take_times(pages: dict[str, Callable[[], None]], requests: int) -> dict[str, list[float]]:
    """Return the seconds of requests to each page, which are sent in turns."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(requests):
        for name, page in pages.items():
            times[name].append(seconds(page))
    return times


@contextmanager
def waiting_clients(server: Server) -> Iterator[None]:
    """Let clients wait for commands during the context; they are a process of their own.

    A command that starts needs the CPU for seconds, whoever started it: this begins when all of them sleep.
    """
    (server.home / "dags").mkdir(exist_ok=True)
    (server.home / "dags" / f"{DAG_ID}.py").write_text(DAG_FILE, "utf-8")
    server.run_locally(["dags", "reserialize"])  # Airflow 3 finds no DAG file by itself
    clients = subprocess.Popen([sys.executable, __file__, server.airflow_url, TOKEN])
    try:
        deadline = time.monotonic() + START_SECONDS
        while (
            len(list(server.home.glob(SLEEPING.format("*")))) < RUNNING
            or len(jobs(server, "queued")) < CLIENTS - RUNNING
        ):
            if time.monotonic() > deadline or clients.poll() is not None:
                raise RuntimeError("the commands of the clients do not run")
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


if __name__ == "__main__":
    follow(*sys.argv[1:])
