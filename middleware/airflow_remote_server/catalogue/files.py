"""The classic endpoints about DAG files, which are not commands of Airflow's but actions of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalogue.dialect import gone
from airflow_remote_server.catalogue.spec import Argument, Endpoint, Form, Kind

if TYPE_CHECKING:
    from airflow_remote_server.catalogue.dialect import Dialect


def dag_files(dialect: Dialect, dag_id: Argument) -> tuple[Endpoint, ...]:
    """The endpoints.

    :param dialect: of the installed Airflow
    :param dag_id: the argument that names a DAG
    """
    folder = Argument("folder", "--folder", help="Folder below the DAGs folder")
    bundle = (
        gone("bundle_name", "Airflow 2 has no DAG bundles")
        if dialect.two
        else Argument("bundle_name", "--bundle-name", help="DAG bundle, when several are local folders")
    )
    name = Argument("filename", required=True, help="The file's name, as it was deployed")
    switch = (
        Argument("pause", kind=Kind.FLAG, help="Pause its DAGs"),
        Argument("unpause", kind=Kind.FLAG, help="Unpause its DAGs"),
        Argument("wait", "--wait", Kind.INTEGER, help="Seconds to wait until Airflow has parsed it"),
    )
    forced = "Replace a file that is there, and take DAG ids over from other files"
    deploy = (
        Argument("dag_file", kind=Kind.UPLOAD, required=True, help="The DAG's file: *.py, or a *.zip"),
        folder,
        bundle,
        Argument("force", kind=Kind.FLAG, help=forced),
        *switch,
    )
    undeploy = (
        name,
        folder,
        bundle,
        Argument("force", kind=Kind.FLAG, help="Also a file that was not deployed with deploy_dag"),
    )
    rollback = (
        name,
        folder,
        bundle,
        Argument("version", "--version", Kind.INTEGER, help="Number of the version, not the last one"),
        Argument("force", kind=Kind.FLAG, help="Take DAG ids over from other files"),
        *switch,
    )
    ours = "airflow-remote-server"
    return (
        Endpoint(
            "deploy_dag", "Deploy a DAG file", (Form(("deploy-dag",), deploy, program=ours),), known_only=True
        ),
        Endpoint(
            "undeploy_dag",
            "Take a deployed DAG file away, and keep it as a version",
            (Form(("undeploy-dag",), undeploy, program=ours),),
            known_only=True,
        ),
        Endpoint(
            "rollback_dag",
            "Put the former version of a DAG file back",
            (Form(("rollback-dag",), rollback, program=ours),),
            known_only=True,
        ),
        Endpoint(
            "refresh_dag",
            "Ask Airflow to parse the file of a DAG again",
            (Form(("refresh-dag",), (dag_id,), program=ours),),
        ),
        Endpoint("refresh_all_dags", "Parse all DAG files again", (Form(("dags", "reserialize")),)),
    )
