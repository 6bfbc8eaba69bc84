"""The classic endpoints about DAG files, which are actions of this project and not commands of Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalog.dags import DAG_ID
from airflow_remote_server.catalog.spec import Argument, Endpoint, Handler, Kind, Variant
from airflow_remote_server.catalog.version_args import refused

if TYPE_CHECKING:
    from airflow_remote_server.catalog.version_args import VersionArguments

PROGRAM = "airflow-remote-server"
"""The program that runs the actions of this project."""


def dag_file_endpoints(version: VersionArguments) -> tuple[Endpoint, ...]:
    """Return the endpoints about DAG files.

    :param version: the arguments of the installed release
    """
    folder = Argument("folder", "--folder", help="Subdirectory of the DAGs folder")
    bundle = (
        refused("bundle_name", "Airflow 2 has no DAG bundles")
        if version.two
        else Argument("bundle_name", "--bundle-name", help="DAG bundle, if several are local folders")
    )
    name = Argument("filename", required=True, help="Name of the deployed file")
    options = (
        Argument("pause", kind=Kind.FLAG, help="Pause the file's DAGs"),
        Argument("unpause", kind=Kind.FLAG, help="Unpause the file's DAGs"),
        Argument("wait", "--wait", Kind.INTEGER, help="Seconds to wait until Airflow has parsed the file"),
    )
    force_help = "Replace an existing file, and take over DAG IDs from other files"
    deploy = (
        Argument("dag_file", kind=Kind.UPLOAD, required=True, help="The DAG file: *.py or *.zip"),
        folder,
        bundle,
        Argument("force", kind=Kind.FLAG, help=force_help),
        *options,
    )
    undeploy = (
        name,
        folder,
        bundle,
        Argument("force", kind=Kind.FLAG, help="Remove even a file that was not deployed with deploy_dag"),
    )
    rollback = (
        name,
        folder,
        bundle,
        Argument(
            "version", "--version", Kind.INTEGER, help="Number of the version; the previous one by default"
        ),
        Argument("force", kind=Kind.FLAG, help="Take over DAG IDs from other files"),
        *options,
    )
    return (
        Endpoint(
            "deploy_dag",
            "Deploy a DAG file",
            (Variant(("deploy-dag",), deploy, program=PROGRAM),),
            trusted_only=True,
            handler=Handler.DEPLOY,
        ),
        Endpoint(
            "undeploy_dag",
            "Remove a deployed DAG file, and keep it as a version",
            (Variant(("undeploy-dag",), undeploy, program=PROGRAM),),
            trusted_only=True,
            handler=Handler.DEPLOY,
        ),
        Endpoint(
            "rollback_dag",
            "Restore the previous version of a DAG file",
            (Variant(("rollback-dag",), rollback, program=PROGRAM),),
            trusted_only=True,
            handler=Handler.DEPLOY,
        ),
        Endpoint(
            "refresh_dag",
            "Ask Airflow to parse the file of a DAG again",
            (Variant(("refresh-dag",), (DAG_ID,), program=PROGRAM),),
        ),
        Endpoint("refresh_all_dags", "Parse all DAG files again", (Variant(("dags", "reserialize")),)),
    )
