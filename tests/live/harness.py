"""Real webservers for the tests: start them, ask them, look into them, and end them without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any, TypeVar

import requests

from live.processes import children_of, of_home, session_of, wait_until_gone

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {"2.11": "2.11.2", "3.3": "3.3.2"}
"""Version id (the name of its environment) to the release that is pinned there."""

PREFIX = "/admin/rest_api"
TOKEN = "the-token-of-the-live-tests"
READY_SECONDS = 240.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 115.0  # above the longest time that the server waits, so that it is the server that says so

T = TypeVar("T")


@dataclass
class Reply:
    """An answer, as a test looks at it."""

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
    """A running webserver of Airflow's, and its AIRFLOW_HOME."""

    version: str
    home: Path
    url: str
    token: str | None
    process: subprocess.Popen[str]
    ports: dict[str, int]
    """Where services of this Airflow listen."""
    options: dict[str, Any] = field(default_factory=dict)
    """What it was started with."""
    stopped: bool = False

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def release(self) -> str:
        return VERSIONS[self.version]

    @property
    def api(self) -> str:
        """Where the endpoints are."""
        return f"{self.url}{PREFIX}/api/v1.0"

    @property
    def credentials(self) -> dict[str, str]:
        """The headers that a request needs."""
        return {} if self.token is None else {"rest-api-plugin-http-token": self.token}

    def ask(self, path: str, method: str = "GET", extra: dict[str, str] | None = None, **more: Any) -> Reply:
        """Send a request to a path below the API's prefix.

        With the token and the headers in ``extra``, or with ``headers`` alone.
        """
        headers = {**self.credentials, **(extra or {})}
        more = {"headers": headers, "timeout": ANSWER_SECONDS, "allow_redirects": False, **more}
        with requests.Session() as session:
            session.trust_env = False  # a proxy is no way to one's own machine
            answer = session.request(method, self.url + PREFIX + path, **more)
        return Reply(answer.status_code, answer.headers, answer.text, answer.elapsed.total_seconds())

    def get(self, endpoint: str, **arguments: Any) -> Reply:
        """Ask an endpoint by GET; arguments go into the query."""
        return self.ask(f"/api/v1.0/{endpoint}", params=arguments)

    def post(self, endpoint: str, **more: Any) -> Reply:
        """Ask an endpoint by POST; ``data``, ``json`` and ``files`` are those of requests."""
        return self.ask(f"/api/v1.0/{endpoint}", method="POST", **more)

    def done(self, endpoint: str, **arguments: Any) -> dict[str, Any]:
        """Have a command done, and return the envelope of its answer."""
        reply = self.post(endpoint, data=arguments)
        assert reply.status == 200, reply.text
        envelope: dict[str, Any] = reply.json
        assert (envelope["status"], envelope["exit_code"]) == ("OK", 0), envelope
        return envelope

    def trigger(self, run_id: str, **conf: Any) -> str:
        """Make a run of hello_remote, for a test that needs one to be there."""
        self.done("trigger_dag", dag_id="hello_remote", run_id=run_id, conf=json.dumps(conf))
        return run_id

    def is_paused(self, dag_id: str) -> bool:
        """Whether Airflow lists a DAG as paused."""
        rows = {row["dag_id"]: row for row in self.done("list_dags")["result"]}
        return {"True": True, "False": False}[rows[dag_id]["is_paused"]]

    def environment(self) -> dict[str, str]:
        """The environment of an Airflow process in this home."""
        return {
            **os.environ,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONFIG": str(self.home / "airflow.cfg"),
        }

    def python(self, code: str, **environment: str) -> str:
        """Run a snippet in Airflow's own environment, and return what it printed."""
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

    def log(self, lines: int = 40) -> str:
        """The end of the server's log."""
        path = self.home / "server.log"
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        return "\n".join(line[:200] for line in text.splitlines()[-lines:] if "GET /static/" not in line)

    def web(self) -> list[int]:
        """The processes of the webserver itself. It has a session of its own, and ours a child in it."""
        return [pid for pid in of_home(self.home) if session_of(pid) in children_of(self.process.pid)]

    def end(self) -> None:
        """End the server as a service manager would; its commands go on."""
        if not self.stopped:
            self.stopped = True
            self.process.send_signal(signal.SIGTERM)
            self.process.communicate(timeout=STOP_SECONDS)

    def kill(self) -> None:
        """End the server by force, all of its processes at once."""
        self.stopped = True
        for pid in self.web():
            os.kill(pid, signal.SIGKILL)
        self.process.communicate(timeout=STOP_SECONDS)

    def restart(self) -> None:
        """Start a server that has ended once more, in the same home."""
        self.__dict__.update(vars(self.beside()))

    def beside(self) -> Server:
        """Start another server in the same home."""
        return start(self.version, self.home, token=self.token, **self.options)

    def stop(self) -> None:
        """End the server, and see that nothing is left running, once its commands have ended.

        The host and the supervisors need some seconds to see that there is nobody left to serve.
        """
        try:
            self.end()
        finally:
            left = wait_until_gone(lambda: of_home(self.home), seconds=30)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert not left, f"left running by the server of Airflow {self.version}: {left}"


def python_of(version: str) -> Path:
    """The Python of an Airflow environment."""
    return ROOT / ".venv" / f"airflow-{version}" / "bin" / "python"


def start(
    version: str,
    home: Path,
    *,
    token: str | None = TOKEN,
    way: str = "plugin",
    base_path: str = "",
    environment: dict[str, str] | None = None,
    ports: dict[str, int] | None = None,
) -> Server:
    """Start a webserver on a free port, and wait until it answers.

    The token goes by the environment: an argument can be read by every user of a machine. Another server
    for the same home shares its host when it has the same ``environment`` and ``ports``.
    """
    home.mkdir(parents=True, exist_ok=True)
    argv = [
        str(python_of(version)),
        str(ROOT / "examples" / "serve.py"),
        "--port",
        str(free_port()),
        "--quiet",
    ]
    argv += ["--way", way, "--home", str(home), *(["--base-path", base_path] if base_path else [])]
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    if token is not None:
        env["AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"] = token
    # What the tests start must not meet what else runs on this machine, nor leave the machine.
    ports = ports or {name: free_port() for name in ("worker_log_server", "flower", "broker")}
    env["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] = str(ports["worker_log_server"])
    env["AIRFLOW__CELERY__FLOWER_PORT"] = str(ports["flower"])
    env["AIRFLOW__CELERY__BROKER_URL"] = f"redis://127.0.0.1:{ports['broker']}/0"
    env.update(environment or {})
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
        said = (home / "serve.err").read_text()
        raise AssertionError(f"{shlex.join(argv)} did not become ready: {said}\n{server.log()}")
    return server


@contextlib.contextmanager
def running(homes: dict[str, Path], **options: Any) -> Iterator[dict[str, Server]]:
    """Run one server of each version, started and stopped side by side, in these homes."""
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(start, version, home, **options) for version, home in homes.items()]
    # The pool has waited for all of them: when one did not come up, the other must not stay.
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


def free_port() -> int:
    """A port of the loopback address that nobody listens on, and that nobody is given by chance.

    It is used seconds later, so not one of those that the system gives to outgoing connections
    (net.ipv4.ip_local_port_range begins at 32768).
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port in a hundred")


def together(*calls: Callable[[], T], at_once: int = 4) -> list[T]:
    """Make calls that do not depend on each other at the same time, and return their results in order."""
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        jobs = [pool.submit(call) for call in calls]
    return [job.result() for job in jobs]


def on_both_versions(test: Callable[[Server], None]) -> Callable[[dict[str, Server]], None]:
    """Make of a test of one server a test of both shared ones, at the same time.

    For tests of several commands, each of which waits for the one before: alone they leave a processor idle.
    """

    def side_by_side(main_servers: dict[str, Server]) -> None:
        with ThreadPoolExecutor() as pool:
            jobs = {version: pool.submit(test, server) for version, server in main_servers.items()}
        failed = {version: error for version, job in jobs.items() if (error := job.exception())}
        for version, error in failed.items():
            raise AssertionError(f"on Airflow {version}; it failed on {', '.join(failed)}") from error

    side_by_side.__name__ = test.__name__
    side_by_side.__module__ = test.__module__
    return side_by_side


def eventually(what: str, condition: Callable[[], T], seconds: float = 30.0) -> T:
    """Wait for a condition, and return what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")
