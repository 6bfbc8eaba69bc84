"""The client deploys a DAG, follows its runs and explains them, on real servers with a real scheduler."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from live.harness import VERSIONS, Server, run_servers
from live.jobs import wait_until_ended
from live.program import run_client

DAG = "live_runs"
SOURCE = """
import time
from datetime import datetime, timezone
try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

@dag(dag_id="live_runs", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False)
def live_runs():
    @task
    def extract(**context):
        conf = context["dag_run"].conf or {}
        print("rows from extract")
        time.sleep(conf.get("seconds", 0))
        if conf.get("fail"):
            raise ValueError("the source has no data")
        return [1, 2]

    @task
    def load(row):
        print(f"loaded {row}")

    load.expand(row=extract())

live_runs()
"""
SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "2",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:{port}/execution/",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
}
EXECUTORS = {
    # Airflow 2 has no other one for SQLite.
    "2.11": {"AIRFLOW__CORE__EXECUTOR": "SequentialExecutor"},
    "3.3": {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"},
}


@contextmanager
def service(server: Server, command: str) -> Iterator[None]:
    """Run a service of Airflow, and stop it."""
    job_id = server.post(f"commands/{command}")["job"]["id"]
    try:
        yield
    finally:
        server.post(f"jobs/{job_id}/stop", json={"force": True}, extra={"Prefer": "respond-async"})
        wait_until_ended(server, job_id)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Start a webserver of each version, with what Airflow needs to run tasks."""
    homes = {version: tmp_path_factory.mktemp(f"runs-{version}") / "home" for version in VERSIONS}
    for home in homes.values():
        (home / "dags").mkdir(parents=True)
    with run_servers(homes, EXECUTORS, environment=SETTINGS) as servers, ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(service(server, "scheduler"))
            if server.major > 2:
                stack.enter_context(service(server, "dag-processor"))
        yield servers


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    """Return the server of one version."""
    return servers[request.param]


def file_of(server: Server) -> Path:
    """Return the DAG file on the user's machine."""
    path = server.home.parent / "live_runs.py"
    path.write_text(SOURCE)
    return path


def trigger(server: Server, *words: str, **conf: object) -> CompletedProcess[str]:
    return run_client(server, "dags", "trigger", DAG, "--conf", json.dumps(conf), *words)


def latest_run(server: Server) -> str:
    done = run_client(server, "runs", "list", DAG, "--limit", "1", "-o", "plain")
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\t")[1]


def test_runs_are_followed_read_and_explained(server: Server) -> None:
    file = file_of(server)
    done = run_client(server, "deploy", str(file), "--unpause", "--follow", "--timeout", "120s")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    deployed, parsed, triggered, *rest = done.stdout.splitlines()
    assert deployed == f"deployed: {file}, DAGs: {DAG}"
    assert parsed.startswith("parsed: within ")
    assert re.fullmatch(f"triggered: {DAG}, run \\S+", triggered)
    lines = [line[10:] if line[2:3] == ":" else line for line in rest]
    assert any(re.fullmatch(r"extract \| .*rows from extract", line) for line in lines), done.stdout
    assert any(re.fullmatch(r"load\[1\] \| .*loaded 2", line) for line in lines), done.stdout
    assert any(line.startswith("load[0]: success") for line in lines)
    assert "has succeeded" in lines[-1]
    assert lines[-1].endswith(": 3 success")
    first = latest_run(server)

    failed = trigger(server, "--wait", fail=True)
    assert failed.returncode == 1, failed.stderr
    assert "extract: failed" in failed.stderr
    assert "load: upstream_failed" in failed.stderr
    assert "the source has no data" in failed.stderr, failed.stderr
    diagnosis = run_client(server, "runs", "diagnose", DAG)
    assert diagnosis.returncode == 0, diagnosis.stderr
    assert "the source has no data" in diagnosis.stdout
    only = run_client(server, "logs", DAG, "--failed")
    assert "ValueError" in only.stdout, only.stderr

    log = run_client(server, "logs", DAG, first, "load", "--map-index", "1")
    assert "loaded 2" in log.stdout, log.stderr
    both = run_client(server, "logs", DAG, first, "load").stdout
    assert (both.count("==> load["), "loaded 1" in both, "loaded 2" in both) == (2, True, True)
    shown = json.loads(run_client(server, "runs", "show", DAG, first, "-o", "json").stdout)
    assert shown["state"] == "success"
    states = {(task["task_id"], task["map_index"]): task["state"] for task in shown["tasks"]}
    assert states == {("extract", -1): "success", ("load", 0): "success", ("load", 1): "success"}
    page = run_client(server, "open", DAG, first, DISPLAY="", WAYLAND_DISPLAY="").stdout
    assert page.startswith(f"{server.url}/dags/live_runs/")

    late = trigger(server, "--timeout", "1s", seconds=10)
    assert late.returncode == 124, late.stderr
    again = run_client(server, "runs", "watch", DAG, "--logs")
    assert again.returncode == 0, again.stderr
    assert "extract | " in again.stdout
    assert again.stdout.splitlines()[-1].endswith(": 3 success")

    followed = trigger(server, seconds=3)
    assert followed.returncode == 0, followed.stderr
    alone = run_client(server, "logs", DAG, latest_run(server), "extract", "--follow")
    assert alone.returncode == 0, alone.stderr
    assert "rows from extract" in alone.stdout


def test_a_run_of_a_paused_dag_says_so(server: Server) -> None:
    file = file_of(server).with_name("live_paused.py")
    file.write_text(SOURCE.replace(DAG, "live_paused"))
    assert run_client(server, "deploy", str(file), "--pause", "--wait").returncode == 0
    done = run_client(server, "trigger_dag", "live_paused", "--timeout", "15s")
    assert done.returncode == 124, done.stderr
    assert "is paused" in done.stderr


def test_a_broken_file_is_reported_with_its_line(server: Server) -> None:
    file = server.home.parent / "live_broken.py"
    file.write_text("# an airflow dag\nimport no_such_module\n")
    done = run_client(server, "deploy", str(file), "--follow")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0].startswith(f"{file}:2: ModuleNotFoundError: ")
    file.write_text("import airflow  # dag\n\ndef broken(:\n")
    done = run_client(server, "deploy", str(file))
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith(f"{file}:3: SyntaxError: ")


def test_unknown_names_are_usage_errors(server: Server) -> None:
    for line in (["runs", "show", "live_run"], ["logs", "live_rub"], ["open", "live_rums"]):
        done = run_client(server, *line)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.startswith("airflow-remote: ")
