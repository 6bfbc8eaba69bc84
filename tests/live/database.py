"""Read Airflow's database without Airflow, to prove what a command did."""

from __future__ import annotations

import json
import pickle
import sqlite3
from contextlib import closing
from typing import Any

from live.harness import Server


def fetch_rows(server: Server, query: str, *parameters: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the SQLite file in a server's home."""
    uri = f"file:{server.home / 'airflow.db'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
        return connection.execute(query, parameters).fetchall()


def fetch_runs(server: Server, dag_id: str = "hello_remote") -> dict[str, Any]:
    """Return the conf of each run of a DAG by run ID."""
    stored = fetch_rows(server, "select run_id, conf from dag_run where dag_id = ?", dag_id)
    return {run_id: _conf(conf) for run_id, conf in stored}


def parsing_requests(server: Server) -> list[str]:
    """Return the DAG files, with or without their folder, that Airflow was asked to parse first."""
    column = "fileloc" if server.major == 2 else "relative_fileloc"
    return [name for (name,) in fetch_rows(server, f"select {column} from dag_priority_parsing_request")]  # noqa: S608


def _conf(stored: bytes | str | None) -> Any:
    if isinstance(stored, bytes):
        return pickle.loads(stored)  # noqa: S301 (Airflow 2 stores pickles, and this home is our own)
    return None if stored is None else json.loads(stored)
