"""What the API does with Airflow that Airflow has no command for. Runs in a child, like any command.

::

    airflow-remote-server refresh-dag DAG_ID
    airflow-remote-server deploy-dag UPLOAD NAME FOLDER [force] [pause | unpause]
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_remote_server import dags
from airflow_remote_server.errors import CommandFailed
from airflow_remote_server.integrations import installed

PARSED = "parsed.json"
"""File with what was found in a DAG file. Not stdout, where a DAG file may print as well."""


def main(argv: list[str]) -> None:
    """Run one action.

    :param argv: its name and arguments; they come from our own table, validated
    :raises SystemExit: for an action that does not exist
    """
    name, *arguments = [word for word in argv if word != "--"]
    if name == "refresh-dag":
        print(installed().request_parsing(*arguments))
    elif name == "deploy-dag":
        deploy_dag(*arguments)
    else:
        raise SystemExit(f"no such action: {name}")


def deploy_dag(upload: str, name: str, folder: str, *wishes: str) -> None:
    """Put a DAG file into the DAGs folder, and have its DAGs paused or unpaused when that is wished.

    :param upload: the file that was uploaded
    :param name: the file's name in the DAGs folder
    :param folder: the DAGs folder
    :param wishes: ``force``; ``pause`` or ``unpause``
    :raises BadArguments: when it cannot be compiled, or its name leads elsewhere
    :raises Conflict: when one is there, without ``force``
    :raises Unavailable: when the folder cannot be written to
    :raises CommandFailed: when it is in place, but Airflow cannot import it
    """
    path = dags.target(name, Path(folder))
    source = Path(upload).read_bytes()
    dags.compile_source(source, name)
    dags.replace(path, source, force="force" in wishes)
    said = f"DAG File [{name}] has been uploaded"
    state = next((wish for wish in wishes if wish in ("pause", "unpause")), "")
    if state:
        found = parse_dag_file(path, state)
        if found["import_errors"]:
            broken = next(iter(found["import_errors"].values())).strip().splitlines()[-1]
            raise CommandFailed(f"{name} is in place, but Airflow cannot import it: {broken}")
        said += f"; {state}d: {', '.join(found['dag_ids']) or 'it has no DAGs'}"
    print(said)


def parse_dag_file(path: Path, state: str) -> dict[str, Any]:
    """Parse a DAG file into Airflow's database, and write down what was found as JSON.

    :param path: the file
    :param state: ``pause`` or ``unpause`` its DAGs
    :returns: ``dag_ids`` and ``import_errors``
    """
    result = Path.cwd() / PARSED  # the file may change the directory
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    dag_ids, import_errors = installed().parse_file(str(path))
    if dag_ids:
        with create_session() as session:
            for dag in session.query(DagModel).filter(DagModel.dag_id.in_(dag_ids)):
                dag.is_paused = state == "pause"
    found = {"dag_ids": dag_ids, "import_errors": import_errors}
    result.write_text(json.dumps(found), "utf-8")
    return found
