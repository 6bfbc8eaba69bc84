"""What the API does with Airflow that Airflow has no command for. Runs in a child, like any command.

::

    airflow-remote-server refresh-dag DAG_ID
    airflow-remote-server parse-dag-file PATH [pause | unpause]
"""

from __future__ import annotations

import json
from pathlib import Path

from airflow_remote_server.integrations import installed

PARSED = "parsed.json"


def main(argv: list[str]) -> None:
    """Run one action.

    :param argv: its name and arguments; they come from our own table, validated
    :raises SystemExit: for an action that does not exist
    """
    name, *arguments = [word for word in argv if word != "--"]
    if name == "refresh-dag":
        print(installed().request_parsing(*arguments))
    elif name == "parse-dag-file":
        parse_dag_file(*arguments)
    else:
        raise SystemExit(f"no such action: {name}")


def parse_dag_file(path: str, state: str = "") -> None:
    """Parse a DAG file into Airflow's database, and write down what was found as JSON.

    Not to stdout, where a DAG file may print as well.

    :param path: the file
    :param state: ``pause`` or ``unpause`` its DAGs
    """
    result = Path.cwd() / PARSED  # the file may change the directory
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    dag_ids, import_errors = installed().parse_file(path)
    if state and dag_ids:
        with create_session() as session:
            for dag in session.query(DagModel).filter(DagModel.dag_id.in_(dag_ids)):
                dag.is_paused = state == "pause"
    result.write_text(json.dumps({"dag_ids": dag_ids, "import_errors": import_errors}), "utf-8")
