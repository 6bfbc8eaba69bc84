"""What the API does with Airflow that Airflow has no command for. Runs in a child, like any command.

::

    airflow-remote-server refresh-dag DAG_ID
    airflow-remote-server deploy-dag ORDER      ORDER is JSON, see dags.deploying.Order
    airflow-remote-server undeploy-dag ORDER
    airflow-remote-server rollback-dag ORDER
"""

from __future__ import annotations

from airflow_remote_server.dags import deploying
from airflow_remote_server.integrations import installed

DAG_FILES = {
    "deploy-dag": deploying.deploy,
    "undeploy-dag": deploying.undeploy,
    "rollback-dag": deploying.rollback,
}


def main(argv: list[str]) -> None:
    """Run one action.

    :param argv: its name and arguments; they come from our own table, validated
    :raises SystemExit: for an action that does not exist
    """
    name, *arguments = [word for word in argv if word != "--"]
    if name == "refresh-dag":
        print(installed().request_parsing(*arguments))
    elif name in DAG_FILES:
        print(DAG_FILES[name](deploying.Order.parse(*arguments)))
    else:
        raise SystemExit(f"no such action: {name}")
