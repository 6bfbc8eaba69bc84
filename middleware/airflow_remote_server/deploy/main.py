"""The program ``airflow-remote-server``: operations of the API for which Airflow has no command.

It runs in a job, like any command::

    airflow-remote-server refresh-dag DAG_ID
    airflow-remote-server deploy-dag REQUEST      REQUEST is JSON, see deploy.models.DeployRequest
    airflow-remote-server undeploy-dag REQUEST
    airflow-remote-server rollback-dag REQUEST
"""

from __future__ import annotations

from airflow_remote_server.deploy import operations
from airflow_remote_server.deploy.models import DeployRequest
from airflow_remote_server.deploy.parse_now import refresh

OPERATIONS = {
    "deploy-dag": operations.deploy,
    "undeploy-dag": operations.undeploy,
    "rollback-dag": operations.rollback,
}


def main(argv: list[str]) -> str:
    """Run one operation, and print its result.

    :param argv: its name and arguments; the API has validated them
    :returns: a warning; "" if there is none
    :raises SystemExit: if there is no such operation
    """
    name, *arguments = [word for word in argv if word != "--"]
    if name == "refresh-dag":
        print(refresh(*arguments))
        return ""
    if name not in OPERATIONS:
        raise SystemExit(f"no such operation: {name}")
    result = OPERATIONS[name](DeployRequest.from_json(*arguments))
    print(result.text)
    return result.warning
