"""Start real webservers for the tests, send them requests, inspect them, and stop them completely."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

import requests

from live.environment import environment_without_airflow
from live.ports import free_port
from live.processes import children_of, processes_of_home, session_of, wait_until_gone

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {"2.11": "2.11.2", "3.3": "3.3.2"}
"""The pinned release of each version. A version is the name of an environment."""

PREFIX = "/admin/rest_api"
TOKEN = "the-token-of-the-live-tests"
READY_SECONDS = 240.0
STOP_SECONDS = 120.0
ANSWER_SECONDS = 115.0  # longer than the server ever waits, so that the server reports a timeout first


@dataclass
class Reply:
    """The response to a request, as tests need it."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    text: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def __getitem__(self, name: str) -> Any:
        return self.json[name]

    def __contains__(self, name: str) -> bool:
        return name in self.json


@dataclass
class Server:
    """A running Airflow webserver and its AIRFLOW_HOME."""

    version: str
    home: Path
    url: str
    token: str | None
    process: subprocess.Popen[str]
    ports: dict[str, int]
    """The ports on which services of this Airflow listen, by name."""
    options: dict[str, Any] = field(default_factory=dict)
    """The arguments that it was started with."""
    stopped: bool = False

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def release(self) -> str:
        return VERSIONS.get(self.version, self.version)

    @property
    def api(self) -> str:
        """Return the URL of the endpoints."""
        return f"{self.url}{PREFIX}/api/v1.0"

    @property
    def credentials(self) -> dict[str, str]:
        """Return the headers that authenticate a request."""
        return {} if self.token is None else {"rest-api-plugin-http-token": self.token}

    def request(
        self, path: str, method: str = "GET", extra: dict[str, str] | None = None, **more: Any
    ) -> Reply:
        """Send a request to a path below the API's prefix.

        The request carries the token and the headers in ``extra``, or only ``headers`` if they are given.
        On a busy machine, the server may answer with 202 although the request would wait: the few workers of
        Airflow 2 do not all wait. Then the request is repeated when its command has ended.
        """
        headers = {"Idempotency-Key": uuid.uuid4().hex, **self.credentials, **(extra or {})}
        reply = self._send(path, method, **{"headers": headers, **more})
        pending = reply.status == 202 and "Location" in reply.headers
        if pending and "Prefer" not in headers and "headers" not in more:
            job_path = "/api/v1.0/jobs/" + reply.headers["Location"].rpartition("/")[2]
            deadline = time.monotonic() + ANSWER_SECONDS
            while time.monotonic() < deadline:
                job = self._send(job_path, "GET", headers=self.credentials).json
                if job["kind"] == "service":
                    return reply
                if job["ended"] is not None:
                    return self._send(path, method, **{"headers": headers, **more})
                time.sleep(0.1)
        return reply

    def _send(self, path: str, method: str, **more: Any) -> Reply:
        more = {"timeout": ANSWER_SECONDS, "allow_redirects": False, **more}
        with requests.Session() as session:
            session.trust_env = False  # a proxy must not get requests to this machine
            answer = session.request(method, self.url + PREFIX + path, **more)
        return Reply(answer.status_code, answer.headers, answer.text, answer.elapsed.total_seconds())

    def get(self, endpoint: str, **arguments: Any) -> Reply:
        """Send a GET request to an endpoint; the arguments go into the query."""
        return self.request(f"/api/v1.0/{endpoint}", params=arguments)

    def post(self, endpoint: str, **more: Any) -> Reply:
        """Send a POST request to an endpoint; ``data``, ``json`` and ``files`` are those of requests."""
        return self.request(f"/api/v1.0/{endpoint}", method="POST", **more)

    def run_command(self, endpoint: str, **arguments: Any) -> dict[str, Any]:
        """Run a command, which must succeed, and return its envelope."""
        reply = self.post(endpoint, data=arguments)
        assert reply.status == 200, reply.text
        envelope: dict[str, Any] = reply.json
        assert (envelope["status"], envelope["exit_code"]) == ("OK", 0), envelope
        return envelope

    def trigger(self, run_id: str, **conf: Any) -> str:
        """Trigger a run of hello_remote, and return its run ID."""
        self.run_command("trigger_dag", dag_id="hello_remote", run_id=run_id, conf=json.dumps(conf))
        return run_id

    def is_paused(self, dag_id: str) -> bool:
        """Return whether Airflow lists a DAG as paused."""
        rows = {row["dag_id"]: row for row in self.run_command("list_dags")["result"]}
        return {"True": True, "False": False}[rows[dag_id]["is_paused"]]

    def environment(self) -> dict[str, str]:
        """Return the environment of an Airflow process in this home."""
        return {
            **os.environ,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONFIG": str(self.home / "airflow.cfg"),
        }

    def run_python(self, code: str, **environment: str) -> str:
        """Run a snippet in Airflow's environment, and return its standard output."""
        done = subprocess.run(
            [str(python_of(self.version)), "-W", "ignore", "-c", code],
            env={**self.environment(), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def read_log(self, lines: int = 40) -> str:
        """Return the last lines of the server's log."""
        path = self.home / "server.log"
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        return "\n".join(line[:200] for line in text.splitlines()[-lines:] if "GET /static/" not in line)

    def web_processes(self) -> list[int]:
        """Return the processes of the webserver, which share a session led by our process's child."""
        return [
            pid for pid in processes_of_home(self.home) if session_of(pid) in children_of(self.process.pid)
        ]

    def end(self) -> None:
        """Stop the server as a service manager does; its commands continue."""
        if not self.stopped:
            self.stopped = True
            self.process.send_signal(signal.SIGTERM)
            self.process.communicate(timeout=STOP_SECONDS)

    def kill(self) -> None:
        """Kill all processes of the server."""
        self.stopped = True
        for pid in self.web_processes():
            os.kill(pid, signal.SIGKILL)
        self.process.communicate(timeout=STOP_SECONDS)

    def restart(self) -> None:
        """Start a stopped server again in the same home and on the same port."""
        port = urlsplit(self.url).port
        self.__dict__.update(vars(self.start_beside(port)))

    def start_beside(self, port: int | None = None) -> Server:
        """Start another server in the same home."""
        return start_server(self.version, self.home, self.token, port=port, prepared=True, **self.options)

    def stop(self) -> None:
        """Stop the server, and check that no process is left once its commands have ended.

        The fork server and the supervisors need some seconds to notice that no webserver is left.
        """
        try:
            self.end()
        finally:
            left = wait_until_gone(lambda: processes_of_home(self.home), STOP_SECONDS)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert not left, f"left running by the server of Airflow {self.version}: {left}"


def python_of(version: str) -> Path:
    """Return the Python interpreter of an Airflow environment."""
    return ROOT / ".venv" / f"airflow-{version}" / "bin" / "python"


def start_server(
    version: str,
    home: Path,
    token: str | None = TOKEN,
    *,
    port: int | None = None,
    way: str = "plugin",
    base_path: str = "",
    environment: dict[str, str] | None = None,
    ports: dict[str, int] | None = None,
    prepared: bool = False,
) -> Server:
    """Start a webserver on a free port, and wait until it responds.

    The token goes by the environment: an argument can be read by every user of a machine. Another server
    for the same home shares its host when it has the same ``environment`` and ``ports``. With ``prepared``,
    it uses the database as it is, which saves seconds. In the values of ``environment``, ``{home}`` stands
    for the home, and ``{port}`` for the port.
    """
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    argv = [
        str(python_of(version)),
        str(ROOT / "examples" / "serve.py"),
        "--port",
        str(port),
        "--quiet",
    ]
    argv += ["--way", way, "--home", str(home), *(["--base-path", base_path] if base_path else [])]
    argv += ["--prepared"] if prepared else []
    env = environment_without_airflow()
    if token is not None:
        env["AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"] = token
    # The services must not reach other services on this machine or beyond it.
    ports = ports or {name: free_port() for name in ("worker_log_server", "flower", "broker")}
    env["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] = str(ports["worker_log_server"])
    env["AIRFLOW__CELERY__FLOWER_PORT"] = str(ports["flower"])
    env["AIRFLOW__CELERY__BROKER_URL"] = f"redis://127.0.0.1:{ports['broker']}/0"
    env["AIRFLOW__REST_API_PLUGIN__DRAIN_SECONDS"] = "0.5"  # most tests do not wait for their probes
    for name, value in (environment or {}).items():
        env[name] = value.replace("{home}", str(home)).replace("{port}", str(port))
    with (home / "serve.err").open("w") as errors:
        process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    limit = Timer(READY_SECONDS, process.terminate)
    limit.start()
    try:
        line = process.stdout.readline()
    finally:
        limit.cancel()
    url = line.removeprefix("ready: ").partition(PREFIX)[0]
    options = {"way": way, "base_path": base_path, "environment": environment, "ports": ports}
    server = Server(version, home, url, token, process, ports, options)
    if not line.startswith("ready: "):
        server.stop()
        errors_text = (home / "serve.err").read_text()
        raise AssertionError(f"{shlex.join(argv)} did not become ready: {errors_text}\n{server.read_log()}")
    return server


@contextlib.contextmanager
def run_servers(
    homes: dict[str, Path], environments: dict[str, dict[str, str]] | None = None, **options: Any
) -> Iterator[dict[str, Server]]:
    """Run one server of each version in these homes, started and stopped in parallel.

    :param environments: further variables by version
    """

    def options_of(version: str) -> dict[str, Any]:
        more = (environments or {}).get(version, {})
        return {**options, "environment": {**(options.get("environment") or {}), **more}}

    with ThreadPoolExecutor() as pool:
        starts = [
            pool.submit(start_server, version, home, **options_of(version)) for version, home in homes.items()
        ]
    # The pool has waited for all of them. If one failed to start, the others must be stopped.
    servers = [job.result() for job in starts if job.exception() is None]
    try:
        for job in starts:
            job.result()
        yield {server.version: server for server in servers}
    finally:
        with ThreadPoolExecutor() as pool:
            stops = [pool.submit(server.stop) for server in servers]
        for stop in stops:
            stop.result()
