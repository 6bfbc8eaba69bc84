"""Airflow's own database, read without Airflow: the proof that a command did what its answer says."""

from __future__ import annotations

import json
import pickle
import sqlite3
from contextlib import closing
from typing import Any

from live.harness import Server


def rows(server: Server, query: str, *parameters: str) -> list[tuple[Any, ...]]:
    """The rows of a query on the SQLite file of a server's home."""
    uri = f"file:{server.home / 'airflow.db'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
        return connection.execute(query, parameters).fetchall()


def runs(server: Server, dag_id: str = "hello_remote") -> dict[str, Any]:
    """The runs of a DAG: run id to conf."""
    found = rows(server, "select run_id, conf from dag_run where dag_id = ?", dag_id)
    return {run_id: _conf(conf) for run_id, conf in found}


def parsing_requests(server: Server) -> list[str]:
    """The DAG files, relative or not, that Airflow was asked to parse before others."""
    column = "fileloc" if server.major == 2 else "relative_fileloc"
    return [name for (name,) in rows(server, f"select {column} from dag_priority_parsing_request")]  # noqa: S608


def _conf(stored: bytes | str | None) -> Any:
    if isinstance(stored, bytes):
        return pickle.loads(stored)  # noqa: S301 (Airflow 2 stores it so, and this is our own throw-away home)
    return None if stored is None else json.loads(stored)
