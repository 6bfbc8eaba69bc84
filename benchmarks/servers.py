"""Start a real webserver to measure, and send requests to it and run local commands beside it."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import statistics
import subprocess
import tempfile
import time
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
AIRFLOWS = {"2.11": ROOT / ".venv/airflow-2.11/bin/python", "3.3": ROOT / ".venv/airflow-3.3/bin/python"}
WORKERS = {"2.11": 4, "3.3": 1}
"""The default number of web workers of each version."""

TOKEN = secrets.token_urlsafe(24)
DAG = "hello_remote"

ENVIRONMENT = {
    "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
    "AIRFLOW__REST_API_PLUGIN__KEEP_JOBS": "1000000",
    "AIRFLOW__REST_API_PLUGIN__AUDIT_ROWS": "1000000",
}
"""Settings: the REST API of Airflow 2, which is measured, too; for both versions, room for long lists."""

TIMEOUT = 120.0
"""Seconds to wait for an answer."""


class Client:
    """Sends requests over one connection that stays open, with as little work as possible.

    :param base: the URL that all paths are appended to
    :param headers: headers of every request
    """

    def __init__(self, base: str, headers: dict[str, str]) -> None:
        parts = urlsplit(base)
        self.path = parts.path
        self.headers = headers
        self.connection = HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT)

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        """Send a request, which must succeed, and return the body of its response.

        :param body: JSON; None for no body
        :raises HTTPException: if it fails
        """
        headers = {**self.headers, **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(method, self.path + path, data, headers)
            response = self.connection.getresponse()
            content = response.read()
        except OSError:
            self.connection.close()
            raise
        if response.status >= 300:
            raise HTTPException(
                f"{method} {path}: {response.status} {content[:500].decode(errors='replace')}"
            )
        return content

    def fetch(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Do the same as :meth:`send`, and return the body as JSON."""
        return json.loads(self.send(method, path, body, headers))


@dataclass(frozen=True)
class Server:
    """A webserver with the middleware.

    :param version: the version of Airflow
    :param url: the URL of the API, with a final slash
    :param home: its AIRFLOW_HOME
    """

    version: str
    url: str
    home: Path

    @property
    def major(self) -> int:
        """Return the major version of Airflow."""
        return int(self.version.partition(".")[0])

    @property
    def airflow_url(self) -> str:
        """Return the address of the webserver."""
        return self.url.removesuffix("/admin/rest_api/")

    def session(self) -> requests.Session:
        """Return a session with the token, which keeps its connection."""
        session = requests.Session()
        session.headers["rest-api-plugin-http-token"] = TOKEN
        return session

    def client(self) -> Client:
        """Return a client of this API."""
        return Client(f"{self.url}api/v1.0/", {"rest-api-plugin-http-token": TOKEN})

    def rest_token(self) -> str:
        """Return a token for the REST API of Airflow 3."""
        token = Client(self.airflow_url, {}).fetch("GET", "/auth/token")
        return str(token["access_token"])

    def rest_client(self) -> Client:
        """Return a client of Airflow's own REST API."""
        if self.major == 2:
            login = b64encode(b"admin:admin").decode()
            return Client(f"{self.airflow_url}/api/v1/", {"Authorization": f"Basic {login}"})
        return Client(f"{self.airflow_url}/api/v2/", {"Authorization": f"Bearer {self.rest_token()}"})

    @contextmanager
    def store(self) -> Iterator[sqlite3.Connection]:
        """Open the database of the job store; a transaction, if no exception is raised."""
        (path,) = self.home.glob("rest_api/**/jobs.db")
        connection = sqlite3.connect(path, timeout=TIMEOUT)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def run_locally(self, argv: list[str]) -> None:
        """Run a command, which must succeed, with the local ``airflow``."""
        subprocess.run(
            [str(AIRFLOWS[self.version].with_name("airflow")), *argv],
            env={**os.environ, **ENVIRONMENT, "AIRFLOW_HOME": str(self.home)},
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )


@contextmanager
def server(version: str) -> Iterator[Server]:
    """Start a real webserver in a temporary home.

    :param version: the version of Airflow
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        argv = [
            str(AIRFLOWS[version]),
            str(ROOT / "examples/serve.py"),
            "--port=0",
            f"--home={folder}",
            f"--workers={WORKERS[version]}",
            "--quiet",
        ]
        process = subprocess.Popen(
            [*argv, f"--token={TOKEN}"], stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}
        )
        try:
            for line in process.stdout or ():
                if line.startswith("ready: "):
                    yield Server(version, line.split()[1], Path(folder))
                    return
            raise SystemExit(f"the server did not start: exit code {process.wait()}")
        finally:
            process.terminate()
            process.wait()


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median seconds of two calls, made in turns; who is first changes every round."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            times[side].append(seconds((first, second)[side]))
    return statistics.median(times[0]), statistics.median(times[1])


def percentile(times: list[float], share: float) -> float:
    """Return a percentile of at least one time.

    :param share: between 0 and 1
    """
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
