"""Parse a DAG file into Airflow's database at once, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_remote_server.config.dag_files import DagFileLimits
from airflow_remote_server.deploy.isolation import run_in_fork
from airflow_remote_server.errors import CommandFailed
from airflow_remote_server.execution.messages import last_line
from airflow_remote_server.integrations.installed import installed_integration


def parse_now(path: str, bundle: str, seconds: float, subject: str) -> tuple[list[str], dict[str, str]]:
    """Parse a file, and write its DAGs to Airflow's database.

    :param path: the file
    :param bundle: its DAG bundle, on Airflow 3
    :param seconds: time limit
    :param subject: the file and its status, for error messages
    :returns: its DAG ids; import errors by file
    :raises CommandFailed: if the process ended without a result
    """

    def parse() -> Any:
        dag_ids, import_errors = installed_integration().parse_file(path, bundle)
        return {"dag_ids": dag_ids, "import_errors": import_errors}

    result = run_in_fork(parse, seconds, subject)
    return result["dag_ids"], result["import_errors"]


def refresh(dag_id: str) -> str:
    """Have Airflow parse a DAG's file again, or parse it here if Airflow takes no such requests.

    :param dag_id: a DAG in Airflow's database
    :returns: what was done, for the user
    :raises airflow.exceptions.DagNotFound: if the database has no such DAG
    :raises CommandFailed: if the file cannot be imported
    """
    if installed_integration().takes_parsing_requests():
        return installed_integration().request_parsing(dag_id)
    record = installed_integration().known_dag(dag_id)
    if not Path(record.package).is_file():
        raise CommandFailed(f"the file of DAG {dag_id} no longer exists: {record.package}")
    _, import_errors = parse_now(record.package, record.bundle, DagFileLimits().seconds, record.package)
    for text in import_errors.values():
        reason = last_line(text) or "no reason is given"
        raise CommandFailed(f"Airflow cannot import {record.package}: {reason}")
    return f"{record.package} is parsed"
