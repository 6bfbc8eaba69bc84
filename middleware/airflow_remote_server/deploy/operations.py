"""Deploy, undeploy and roll back a DAG file, in the process of a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.deploy.deployment import Deployment
from airflow_remote_server.deploy.models import DeployResult
from airflow_remote_server.errors import Conflict, NotFound

if TYPE_CHECKING:
    from airflow_remote_server.deploy.models import DeployRequest


def deploy(request: DeployRequest) -> DeployResult:
    """Put the uploaded file into the DAGs folder.

    :raises Conflict: if it exists already, without ``force``
    :raises ApiError: if it cannot be deployed
    """
    deployment = Deployment(request)
    with deployment.exclusive() as lock:
        current = deployment.target.read(request.limits.file_bytes)
        if current is not None and not request.force:
            raise deployment.target.conflict()
        content = Path(request.upload).read_bytes()
        checked = deployment.check(content, lock)
        published = deployment.publish(content, current, checked, request.force)
    text = f"DAG File [{deployment.name}] has been uploaded"
    text = "; ".join([text, *deployment.activate(checked, published)])
    return DeployResult(text, deployment.warning_for(checked))


def undeploy(request: DeployRequest) -> DeployResult:
    """Remove the file from the DAGs folder, and keep its content as a version.

    :raises NotFound: if it does not exist
    :raises Conflict: if it was not deployed by this API, without ``force``
    """
    deployment = Deployment(request)
    versions = deployment.versions
    with deployment.exclusive():
        current = deployment.target.read(request.limits.file_bytes)
        if current is None:
            raise NotFound(f"{deployment.name} is not in the DAGs folder")
        if not (versions.deployed or request.force):
            raise Conflict(f"{deployment.name} was not deployed by deploy_dag; use force to remove it")
        dag_ids = versions.record.get("dag_ids", [])
        deployment.answer["dag_ids"] = dag_ids
        versions.keep(current)
        deployment.target.remove()
        versions.note(False, dag_ids)
    number = versions.versions[-1].number
    return DeployResult(f"DAG File [{deployment.name}] has been removed, and is kept as version {number}")


def rollback(request: DeployRequest) -> DeployResult:
    """Put an earlier version of the file back. The current content is kept as a version itself.

    :raises NotFound: if there is no such version
    :raises ApiError: if the version cannot be deployed again
    """
    deployment = Deployment(request)
    with deployment.exclusive() as lock:
        current = deployment.target.read(request.limits.file_bytes)
        version, content = deployment.versions.find(current, request.version)
        checked = deployment.check(content, lock)
        published = deployment.publish(content, current, checked, replace=True)
        deployment.answer["version"] = version.number
    text = f"DAG File [{deployment.name}] has been rolled back to version {version.number}"
    text = "; ".join([text, *deployment.activate(checked, published)])
    return DeployResult(text, deployment.warning_for(checked))
