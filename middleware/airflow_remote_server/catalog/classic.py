"""The classic endpoints: the commands of Airflow 1.x, each as a command of the installed Airflow.

The facts come from the command-line parsers of Airflow 1.10, 2.11 and 3.3, and from running each command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalog.dag_files import dag_file_endpoints
from airflow_remote_server.catalog.dags import dag_endpoints
from airflow_remote_server.catalog.runs import run_endpoints
from airflow_remote_server.catalog.services import service_endpoints
from airflow_remote_server.catalog.spec import Endpoint, Handler, Variant
from airflow_remote_server.catalog.stores import connections, pool, variables
from airflow_remote_server.catalog.tasks import task_endpoints
from airflow_remote_server.catalog.version_args import VersionArguments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.integrations.release import Release


def classic_endpoints(release: Release) -> dict[str, Endpoint]:
    """Return the classic endpoints by name, without their aliases.

    :param release: the release of the installed Airflow
    """
    version = VersionArguments(release)
    endpoints = (
        Endpoint("version", "Show the version of Airflow", (Variant(("version",), read_only=True),)),
        Endpoint(
            "rest_api_plugin_version",
            "Show the version of this API",
            (Variant((), read_only=True),),
            handler=Handler.VERSION,
        ),
        *dag_endpoints(version),
        *task_endpoints(version),
        variables(version),
        connections(version),
        pool(),
        *service_endpoints(version),
        *dag_file_endpoints(version),
        *run_endpoints(),
    )
    return {endpoint.name: endpoint for endpoint in endpoints}


def classic_names(endpoints: Iterable[Endpoint]) -> dict[str, tuple[str, ...]]:
    """Return the names of the classic endpoints that run a command, by the command's words.

    :param endpoints: the classic endpoints
    """
    names: dict[str, tuple[str, ...]] = {}
    for endpoint in endpoints:
        for command in dict.fromkeys(" ".join(variant.command) for variant in endpoint.variants):
            names[command] = (*names.get(command, ()), endpoint.name, *endpoint.aliases)
    return names
