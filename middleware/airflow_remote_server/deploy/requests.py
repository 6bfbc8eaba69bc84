"""Turn a request about a DAG file into the command line of its job, and the job's answer into a response.

This is the web worker's side: it looks at no file, and runs no code of a DAG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.deploy.models import DeployRequest
from airflow_remote_server.deploy.names import DagFileName, validate_name
from airflow_remote_server.errors import BadArguments, TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from werkzeug.datastructures import FileStorage

    from airflow_remote_server.catalog.argv import Values
    from airflow_remote_server.config.dag_files import DagBundle
    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.execution.spool import Spool

OPERATIONS = {"deploy_dag": "deploy-dag", "undeploy_dag": "undeploy-dag", "rollback_dag": "rollback-dag"}
"""The operations of ``airflow-remote-server``, by endpoint name."""

ANSWER = "parsed.json"
"""File in a job's spool with fields of the response. The job's stdout is for people."""

LONGEST_WAIT = 3600


def make_title(endpoint: str, values: Values, uploads: Mapping[str, FileStorage], settings: Settings) -> str:
    """Validate a request, and return the title of its process.

    :param endpoint: its name
    :param values: the argument values
    :param uploads: files that came with the request
    :param settings: the DAGs folder or bundles, and the limits for files
    :raises BadArguments: if the arguments contradict each other, or the file may not be deployed
    :raises TooLarge: if the file is too large
    """
    name = _name_of(values, uploads)
    if values.get("pause") and values.get("unpause"):
        raise BadArguments("use either 'pause' or 'unpause', not both")
    if not 0 <= int(str(values.get("wait", 0))) <= LONGEST_WAIT:
        raise BadArguments(f"'wait' must be 0 to {LONGEST_WAIT} seconds")
    if "dag_file" in uploads:
        stream = uploads["dag_file"].stream
        size = stream.seek(0, 2)
        stream.seek(0)
        if size > settings.dag_files.file_bytes:
            raise TooLarge(
                f"'dag_file': {name} has over {settings.dag_files.file_bytes} bytes "
                "([rest_api_plugin] max_dag_bytes)"
            )
    choose_folder(str(values.get("bundle_name", "")), settings)
    return f"{endpoint} {name}"


def make_argv(
    endpoint: str, values: Values, uploads: Mapping[str, FileStorage], settings: Settings
) -> list[str]:
    """Return the arguments of ``airflow-remote-server`` for a request.

    :param endpoint: its name
    :param values: the argument values, with the path of the uploaded file
    :param uploads: files that came with the request
    :param settings: the same as in ``make_title``
    """
    bundle, root = choose_folder(str(values.get("bundle_name", "")), settings)
    name = _name_of(values, uploads)
    request = DeployRequest(
        filename=name.file,
        folder="/".join(name.folders),
        root=str(root),
        state=str(settings.state_dir),
        limits=settings.dag_files,
        bundle=bundle,
        upload=str(values.get("dag_file", "")),
        force=bool(values.get("force")),
        pause=bool(values.get("pause")),
        unpause=bool(values.get("unpause")),
        wait=float(str(values.get("wait", 0))),
        version=int(str(values["version"])) if "version" in values else None,
    )
    return [OPERATIONS[endpoint], "--", request.to_json()]


def read_answer(spool: Spool, endpoint: str) -> dict[str, Any]:
    """Return fields of the response that a job has written; none for jobs of other endpoints.

    :param spool: the job's spool
    :param endpoint: name of the job's endpoint
    """
    answer = spool.read(ANSWER) if endpoint in OPERATIONS else None
    if not isinstance(answer, dict):
        return {}
    errors = answer.get("import_errors") or None
    return {"result": answer, "dag_ids": answer.get("dag_ids"), "import_errors": errors}


def choose_folder(bundle_name: str, settings: Settings) -> tuple[str, Path]:
    """Return the DAG bundle ("" on Airflow 2) and the folder that a DAG file goes to.

    :param bundle_name: the requested bundle; "" for the only one
    :param settings: the configured bundles; none on Airflow 2
    :raises BadArguments: if there is no such bundle, it is not a local folder, or several are possible
    """
    bundles = {bundle.name: bundle for bundle in settings.dag_bundles}
    local = [name for name, bundle in bundles.items() if bundle.path is not None]
    if not bundles and not bundle_name:
        return "", settings.dags_folder
    if not bundle_name and len(local) > 1:
        raise BadArguments(f"there are several DAG bundles: set bundle_name to one of {', '.join(local)}")
    chosen: DagBundle | None = bundles.get(bundle_name or next(iter(local or bundles)))
    if chosen is None:
        raise BadArguments(
            f"'bundle_name': no DAG bundle {bundle_name[:80]!r} is configured; "
            f"there are {', '.join(bundles) or 'none'}"
        )
    if chosen.path is None:
        raise BadArguments(
            f"the DAG bundle {chosen.name} is a {chosen.kind}: its files come from elsewhere and would "
            "overwrite the deployed file; deploy to where they come from"
        )
    return chosen.name, chosen.path


def _name_of(values: Values, uploads: Mapping[str, FileStorage]) -> DagFileName:
    folder = str(values.get("folder", ""))
    if "dag_file" in uploads:
        return validate_name(uploads["dag_file"].filename or "", folder)
    return validate_name(str(values["filename"]), folder, "filename")
