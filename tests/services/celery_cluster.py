"""A webserver whose commands run on Celery workers, with a PostgreSQL and a Redis of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from live.concurrency import wait_until
from live.environment import environment_without_airflow
from live.harness import Server, python_of, start_server
from live.ports import free_port
from live.processes import processes_of_home, wait_until_gone
from server.postgres import postgres

from services.redis_server import run_redis

DAGS = Path(__file__).parent / "dags"
QUEUE = "remote_commands"
COMMANDS = "dags test, dags trigger, pools *"
CONCURRENCY = 4
STOP_SECONDS = 120.0


@dataclass
class Worker:
    """A worker with an AIRFLOW_HOME of its own, as on another machine.

    :param home: its AIRFLOW_HOME
    :param process: its process
    """

    home: Path
    process: subprocess.Popen[bytes]

    def jobs(self) -> set[str]:
        """Return the ids of the jobs that it has taken."""
        return {path.name for path in self.home.glob("rest_api_workers/*/jobs/*")}

    def read_log(self) -> str:
        """Return the end of its log."""
        return (self.home / "worker.log").read_text("utf-8", "replace")[-5000:]

    def kill(self) -> None:
        """Kill all its processes, as the loss of its machine would."""

        def none_left() -> bool:
            left = processes_of_home(self.home)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left

        wait_until("all processes of the worker have ended", none_left)
        self.process.wait(timeout=STOP_SECONDS)

    def stop(self) -> None:
        """Stop it as a service manager does; no process may be left."""
        self.process.terminate()
        self.process.wait(timeout=STOP_SECONDS)
        left = wait_until_gone(lambda: processes_of_home(self.home), STOP_SECONDS)
        assert not left, f"left running by a worker: {left}\n{self.read_log()}"


@dataclass
class Cluster:
    """A webserver, and what its workers need.

    :param server: the webserver
    :param environment: the variables of all
    :param folder: for the homes of workers
    """

    server: Server
    environment: dict[str, str]
    folder: Path
    workers: list[Worker] = field(default_factory=list)

    def start_worker(self, name: str) -> Worker:
        """Start a worker, and wait until it is ready."""
        home = self.folder / name
        shutil.copytree(DAGS, home / "dags")
        env = environment_without_airflow(AIRFLOW_HOME=str(home), **self.environment)
        argv = [str(python_of(self.server.version)), "-m", "airflow_remote_server.cli.main", "worker"]
        with (home / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                [*argv, "--concurrency", str(CONCURRENCY), "--hostname", f"{name}@localhost"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        worker = Worker(home, process)
        self.workers.append(worker)

        def ready() -> bool:
            assert process.poll() is None, worker.read_log()
            return f"{name}@localhost ready" in worker.read_log()

        wait_until(f"the worker {name} is ready", ready)
        return worker


@contextmanager
def run_cluster(version: str, folder: Path) -> Iterator[Cluster]:
    """Run a webserver during the context; it has no workers yet.

    :param version: the version of Airflow
    :param folder: the directory of all files
    """
    (folder / "redis").mkdir()
    with run_redis(folder / "redis") as broker, postgres(free_port()) as url:
        environment = {
            "AIRFLOW__CELERY__BROKER_URL": f"{broker}/0",
            "AIRFLOW__CORE__FERNET_KEY": "d6l0Y3mQmS1fRkAyoIL1QmS2bJqKQWSiPGYlMG3oyvM=",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__REST_API_PLUGIN__JOBS_URL": "airflow",
            "AIRFLOW__REST_API_PLUGIN__CELERY_QUEUE": QUEUE,
            "AIRFLOW__REST_API_PLUGIN__CELERY_COMMANDS": COMMANDS,
        }
        home = folder / "web"
        shutil.copytree(DAGS, home / "dags")
        cluster = Cluster(start_server(version, home, environment=environment), environment, folder)
        try:
            yield cluster
        finally:
            for worker in cluster.workers:
                if worker.process.poll() is None:
                    worker.kill()
            cluster.server.stop()
