"""From a request about a DAG file to the order that its job carries out: the web workers' side. No file is
looked at here, and no code of a DAG's runs.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_remote_server.dags.names import Name, read
from airflow_remote_server.errors import BadArguments, TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from werkzeug.datastructures import FileStorage

    from airflow_remote_server.argv import Values
    from airflow_remote_server.dags.limits import Bundle
    from airflow_remote_server.runner.folder import Folder
    from airflow_remote_server.settings import Settings

ACTIONS = {"deploy_dag": "deploy-dag", "undeploy_dag": "undeploy-dag", "rollback_dag": "rollback-dag"}
"""Endpoint to the action that does it (``actions``)."""

ANSWER = "parsed.json"
"""File of a job with what is to be answered. Not stdout, which is for people."""

LONGEST_WAIT = 3600


def title(endpoint: str, values: Values, uploads: Mapping[str, FileStorage], settings: Settings) -> str:
    """What the process that does it is called; refuses what can be refused without a look at files.

    :param endpoint: its name
    :param values: validated
    :param uploads: files that came with the request
    :param settings: where DAG files may go, and what they are held to
    :raises BadArguments: when it cannot be done as it is asked for
    :raises TooLarge: when the file is too large
    """
    name = _name(values, uploads)
    if values.get("pause") and values.get("unpause"):
        raise BadArguments("'pause' and 'unpause' do not go together: give one of them")
    if not 0 <= int(str(values.get("wait", 0))) <= LONGEST_WAIT:
        raise BadArguments(f"'wait': 0 to {LONGEST_WAIT} seconds")
    if "dag_file" in uploads:
        stream = uploads["dag_file"].stream
        size = stream.seek(0, 2)
        stream.seek(0)
        if size > settings.dag_files.file_bytes:
            raise TooLarge(
                f"'dag_file': {name} has over {settings.dag_files.file_bytes} bytes "
                "([rest_api_plugin] max_dag_bytes)"
            )
    where(str(values.get("bundle_name", "")), settings)
    return f"{endpoint} {name}"


def argv(endpoint: str, values: Values, uploads: Mapping[str, FileStorage], settings: Settings) -> list[str]:
    """The command line of the action.

    :param endpoint: its name
    :param values: with the path of the file that was uploaded
    :param uploads: files that came with the request
    :param settings: as for ``title``
    """
    bundle, root = where(str(values.get("bundle_name", "")), settings)
    name = _name(values, uploads)
    order: dict[str, Any] = {
        "filename": name.file,
        "folder": "/".join(name.folders),
        "root": str(root),
        "state": str(settings.state_dir),
        "limits": asdict(settings.dag_files),
        "bundle": bundle,
        "upload": values.get("dag_file", ""),
        "wait": float(str(values.get("wait", 0))),
        "version": int(str(values["version"])) if "version" in values else None,
        **{flag: bool(values.get(flag)) for flag in ("force", "pause", "unpause")},
    }
    return [ACTIONS[endpoint], "--", json.dumps(order)]


def found(folder: Folder, name: str) -> dict[str, Any]:
    """What a job has found out about its DAG file, as fields of an answer; none of any other job.

    :param folder: of the job
    :param name: of its endpoint
    """
    said = folder.read(ANSWER) if name in ACTIONS else None
    if not isinstance(said, dict):
        return {}
    errors = said.get("import_errors") or None
    return {"result": said, "dag_ids": said.get("dag_ids"), "import_errors": errors}


def where(bundle_name: str, settings: Settings) -> tuple[str, Path]:
    """The DAG bundle and the folder that DAG files go to.

    :param bundle_name: that was asked for; "" when none was
    :param settings: the bundles there are; none on Airflow 2
    :raises BadArguments: when it is not there, its files are not a folder here, or several could be meant
    """
    bundles = {bundle.name: bundle for bundle in settings.dag_bundles}
    local = [name for name, bundle in bundles.items() if bundle.path is not None]
    if not bundles and not bundle_name:
        return "", settings.dags_folder
    if not bundle_name and len(local) > 1:
        raise BadArguments(f"there are several DAG bundles: give bundle_name, one of {', '.join(local)}")
    chosen: Bundle | None = bundles.get(bundle_name or next(iter(local or bundles)))
    if chosen is None:
        raise BadArguments(
            f"'bundle_name': no DAG bundle {bundle_name[:80]!r} is configured; "
            f"there are {', '.join(bundles) or 'none'}"
        )
    if chosen.path is None:
        raise BadArguments(
            f"the DAG bundle {chosen.name} is a {chosen.kind}: its files come from elsewhere, and would "
            "overwrite what is put there; deploy to where they come from"
        )
    return chosen.name, chosen.path


def _name(values: Values, uploads: Mapping[str, FileStorage]) -> Name:
    folder = str(values.get("folder", ""))
    if "dag_file" in uploads:
        return read(uploads["dag_file"].filename or "", folder)
    return read(str(values["filename"]), folder, "filename")
