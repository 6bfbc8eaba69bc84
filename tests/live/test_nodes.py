"""Three webservers without a common disk, behind an nginx that sends each request to another one.

They share Airflow's database in PostgreSQL, with the jobs in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from server.postgres import postgres

from live.concurrency import wait_until
from live.conftest import DAGS
from live.harness import PREFIX, TOKEN, VERSIONS, Server, start_server
from live.nginx import address_of, free_port_pair, make_certificate, run_nginx
from live.ports import free_port
from live.processes import processes_of_home

pytestmark = pytest.mark.fault

NODES = 3
COMMANDS = 500
CLIENTS = 8
KILLS_AFTER = (120, 280)
"""How many commands have ended when a node is killed."""

PAUSE_SECONDS = 0.3
GIVE_UP_SECONDS = 240.0
FINAL = ("succeeded", "failed", "stopped", "timed_out", "lost")
BLOCK = """\
upstream nodes {{
{servers}
}}
server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://nodes; proxy_read_timeout 120s; proxy_next_upstream off; }}
}}
"""


@dataclass
class Cluster:
    """Webservers that share a database, and the URL of the nginx in front of them."""

    nodes: list[Server]
    url: str

    def kill(self, number: int) -> None:
        """Kill every process of a node, as the loss of its machine would."""
        node = self.nodes[number]
        node.stopped = True
        deadline = time.monotonic() + 60
        while left := processes_of_home(node.home):
            assert time.monotonic() < deadline, left
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        node.process.communicate(timeout=60)

    def replace(self, number: int) -> None:
        """Start a node again, without what its state directory held."""
        shutil.rmtree(self.nodes[number].home / "rest_api")
        self.nodes[number].restart()


@pytest.fixture(params=VERSIONS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start three nodes of a version."""
    version = request.param
    homes = [tmp_path_factory.mktemp(f"node-{number}-{version}") / "home" for number in range(NODES)]
    for home in homes:
        shutil.copytree(DAGS, home / "dags")
    with postgres(free_port()) as url, contextlib.ExitStack() as stack:
        environment = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__REST_API_PLUGIN__JOBS_URL": "airflow",
            "AIRFLOW__WEBSERVER__WORKERS": "2",
        }
        nodes = [start_server(version, homes[0], environment=environment)]
        stack.callback(stop_all, nodes)
        with ThreadPoolExecutor() as pool:  # the first one has created the tables
            starts = [
                pool.submit(start_server, version, home, environment=environment, prepared=True)
                for home in homes[1:]
            ]
        nodes += [job.result() for job in starts if job.exception() is None]
        for job in starts:
            job.result()
        folder = tmp_path_factory.mktemp(f"nginx-{version}")
        ports = free_port_pair()
        servers = "\n".join(f"    server {address_of(node)} max_fails=1 fail_timeout=2s;" for node in nodes)
        text = BLOCK.format(servers=servers, port=ports[0])
        stack.enter_context(run_nginx(folder, text, make_certificate(folder), ports))
        yield Cluster(nodes, f"http://127.0.0.1:{ports[0]}{PREFIX}/api/v1.0")


def stop_all(nodes: list[Server]) -> None:
    """Stop servers at the same time."""
    with ThreadPoolExecutor() as pool:
        stops = [pool.submit(node.stop) for node in nodes]
    for stop in stops:
        stop.result()


class ClusterClient:
    """Runs commands through nginx until their ends are known, whatever happens to the nodes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"

    def send(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Send a request until a node answers it."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            with contextlib.suppress(requests.RequestException):
                reply = self.session.request(method, f"{self.url}/{path}", timeout=120, **more)
                if reply.status_code not in (429, 502, 503, 504):
                    return dict(reply.json())
            assert time.monotonic() < deadline, path
            time.sleep(PAUSE_SECONDS)

    def run(self, command: str, arguments: dict[str, str]) -> dict[str, Any]:
        """Run a command, and return its job when it has ended."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        envelope = self.send("POST", command, json=arguments, headers=key)
        assert "job" in envelope, envelope
        job_id = envelope["job"]["id"]
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while (job := self.send("GET", f"jobs/{job_id}")).get("state") not in FINAL:
            assert time.monotonic() < deadline, job
            time.sleep(PAUSE_SECONDS)
        return job


def command_of(number: int) -> tuple[str, dict[str, str]]:
    """Return one of a mix of commands; none of them succeeds twice, except for those that only read."""
    dag_id = "hello_remote"
    commands: list[tuple[str, dict[str, str]]] = [
        ("trigger_dag", {"dag_id": dag_id, "run_id": f"run-{number}"}),
        ("commands/pools/set", {"pool": f"pool-{number}", "slots": "1", "description": "of a node"}),
        ("pause", {"dag_id": dag_id}),
        ("version", {}),
        ("unpause", {"dag_id": dag_id}),
    ]
    return commands[number % len(commands)]


def test_no_command_is_lost_or_runs_twice_while_nodes_die(cluster: Cluster) -> None:
    ended: list[dict[str, Any]] = []
    local = threading.local()

    def run(number: int) -> None:
        client = local.__dict__.setdefault("client", ClusterClient(cluster.url))
        name, arguments = command_of(number)
        ended.append({**client.run(name, arguments), "number": number})

    with ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(run, number) for number in range(COMMANDS)]
        for count in KILLS_AFTER:
            wait_until("commands have ended", lambda: len(ended) >= count, GIVE_UP_SECONDS)  # noqa: B023
            number = random.randrange(NODES)  # noqa: S311 - a test
            cluster.kill(number)
            cluster.replace(number)
    for future in futures:
        future.result()
    states = Counter(job["state"] for job in ended)
    assert set(states) <= {"succeeded", "lost"}, states
    assert states["succeeded"] >= COMMANDS - len(KILLS_AFTER) * CLIENTS, states
    assert all("has not answered" in job["message"] for job in ended if job["state"] == "lost")
    runs = run_ids(cluster.nodes[0])
    for job in ended:
        if job["name"] == "trigger_dag" and job["state"] == "succeeded":
            assert runs[f"run-{job['number']}"] == 1
    check_all_nodes_agree(cluster, random.sample(ended, 12))


def run_ids(node: Server) -> Counter[str]:
    """Return how often each run ID is in Airflow's database."""
    code = (
        "import json, sqlalchemy as sa; from airflow.configuration import conf;"
        "engine = sa.create_engine(conf.get('database', 'sql_alchemy_conn'));"
        "rows = engine.connect().execute(sa.text('select run_id from dag_run')).fetchall();"
        "print('rows:', json.dumps([row[0] for row in rows]))"
    )
    environment = dict(node.options["environment"] or {})
    printed = node.run_python(code, **environment)
    return Counter(json.loads(printed.rpartition("rows:")[2]))


def check_all_nodes_agree(cluster: Cluster, jobs: list[dict[str, Any]]) -> None:
    """Check that every node has the same to say about jobs."""
    for job in jobs:
        path = f"/api/v1.0/jobs/{job['id']}"
        for part in ("", "/output", "/output?stream=stderr"):
            replies = [node.request(path + part) for node in cluster.nodes]
            assert {reply.status for reply in replies} == {200}, [reply.text for reply in replies]
            assert len({reply.text for reply in replies}) == 1, [reply.text for reply in replies]
