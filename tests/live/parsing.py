"""Run Airflow's DAG file parser for a server's home.

That is Airflow 3's DAG processor, and of Airflow 2 the part of the scheduler that does; runs are left alone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

from live.harness import Server, python_of
from live.processes import end_group

MARK = "LIVE_PARSING"
"""The environment variable that tells a DAG file that this parser reads it."""

MANAGER = """
from datetime import timedelta
from airflow.dag_processing.manager import DagFileProcessorManager
from airflow.settings import DAGS_FOLDER
DagFileProcessorManager(DAGS_FOLDER, -1, timedelta(seconds=50), [], False).start()
"""


@contextlib.contextmanager
def parsing(server: Server) -> Iterator[None]:
    """Parse DAG files in the background."""
    command = ["-m", "airflow", "dag-processor"] if server.major >= 3 else ["-W", "ignore", "-c", MANAGER]
    env = {**server.environment(), "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0", MARK: "1"}
    with (server.home / "parsing.log").open("w") as log:
        process = subprocess.Popen(
            [str(python_of(server.version)), *command],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, (server.home / "parsing.log").read_text()[-2000:]
    finally:
        end_group(os.getpgid(process.pid) if process.poll() is None else process.pid)
        process.wait(timeout=60)
