"""Start a real webserver to measure, and run local commands beside it."""

from __future__ import annotations

import os
import secrets
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
AIRFLOWS = {"2.11": ROOT / ".venv/airflow-2.11/bin/python", "3.3": ROOT / ".venv/airflow-3.3/bin/python"}
TOKEN = secrets.token_urlsafe(24)
DAG = "hello_remote"

ENVIRONMENT = {"AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth"}
"""Settings for Airflow 2's own REST API, which is also measured."""


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
    def airflow_url(self) -> str:
        """Return the address of the webserver."""
        return self.url.removesuffix("/admin/rest_api/")

    def session(self) -> requests.Session:
        """Return a session with the token, which keeps its connection."""
        session = requests.Session()
        session.headers["rest-api-plugin-http-token"] = TOKEN
        return session

    def run_remotely(
        self, session: requests.Session, endpoint: str, arguments: dict[str, str]
    ) -> dict[str, Any]:
        """Run a command, which must succeed, over HTTP.

        :raises SystemExit: if it fails
        """
        response = session.post(f"{self.url}api/v1.0/{endpoint}", json=arguments, timeout=120)
        if response.status_code != 200:
            raise SystemExit(f"{endpoint}: {response.status_code} {response.text[:500]}")
        answer: dict[str, Any] = response.json()
        return answer

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
    """Return the median seconds of two calls, made in turns."""
    times = [(seconds(first), seconds(second)) for _ in range(rounds)]
    return statistics.median(one for one, _ in times), statistics.median(two for _, two in times)
