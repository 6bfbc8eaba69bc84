"""Group the classic endpoints by topic, for the page and for the client's help."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.catalog.spec import Endpoint

SECTIONS = (
    ("DAGs", ("list_dags", "trigger_dag", "dag_state", "pause", "unpause", "backfill")),
    ("Tasks", ("list_tasks", "task_state", "task_failed_deps", "render", "test", "run", "clear")),
    ("Runs", ("runs", "dag_run", "task_logs", "diagnose", "dag_source", "import_errors")),
    ("DAG files", ("deploy_dag", "undeploy_dag", "rollback_dag", "refresh_dag", "refresh_all_dags")),
    ("Stores", ("variables", "connections", "pool")),
    ("Services", ("scheduler", "worker", "flower", "kerberos", "serve_logs")),
    ("Server", ("version", "rest_api_plugin_version")),
)
"""Titles and endpoint names, in the order of a list."""

OTHERS = "Others"
"""Title of the endpoints that are in no section."""


def group_by_section(endpoints: Iterable[Endpoint]) -> list[tuple[str, list[Endpoint]]]:
    """Return the endpoints by section; empty sections are left out.

    :param endpoints: all classic endpoints
    """
    rest = {endpoint.name: endpoint for endpoint in endpoints}
    groups = [(title, [rest.pop(name) for name in names if name in rest]) for title, names in SECTIONS]
    return [(title, group) for title, group in (*groups, (OTHERS, list(rest.values()))) if group]
