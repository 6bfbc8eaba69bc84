"""Map the names of commands in other releases of Airflow to their current names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FORMER = {
    "backfill": ("backfill create", "dags backfill"),
    "checkdb": ("db check",),
    "clear": ("tasks clear",),
    "create_user": ("users create",),
    "dag_state": ("dags state",),
    "dags backfill": ("backfill create",),
    "db init": ("db migrate", "db init"),
    "db upgrade": ("db migrate", "db upgrade"),
    "delete_dag": ("dags delete",),
    "delete_user": ("users delete",),
    "flower": ("celery flower",),
    "initdb": ("db migrate", "db init"),
    "list_dag_runs": ("dags list-runs",),
    "list_dags": ("dags list",),
    "list_tasks": ("tasks list",),
    "list_users": ("users list",),
    "next_execution": ("dags next-execution",),
    "pause": ("dags pause",),
    "pool": ("pools",),
    "render": ("tasks render",),
    "resetdb": ("db reset",),
    "rotate_fernet_key": ("rotate-fernet-key",),
    "run": ("tasks run",),
    "shell": ("db shell",),
    "show_dag": ("dags show",),
    "sync_perm": ("sync-perm",),
    "task_failed_deps": ("tasks failed-deps",),
    "task_state": ("tasks state",),
    "test": ("tasks test",),
    "trigger_dag": ("dags trigger",),
    "unpause": ("dags unpause",),
    "upgradedb": ("db migrate", "db upgrade"),
    "webserver": ("api-server", "webserver"),
    "worker": ("celery worker",),
}
"""Names in Airflow 1.10 and 2, and their successors: the first that the installed Airflow has is current."""

FAB = "the FAB auth manager (pip install apache-airflow-providers-fab)"
CELERY = "a Celery executor ([core] executor) and apache-airflow-providers-celery"
KUBERNETES = "a Kubernetes executor ([core] executor) and apache-airflow-providers-cncf-kubernetes"

NEAREST = {
    "run": "tasks test, dags trigger and tasks clear",
    "tasks run": "tasks test, dags trigger and tasks clear",
}
"""Commands without a successor, and the most similar commands."""

REQUIREMENTS = {
    "celery": CELERY,
    "edge": "the edge provider (pip install apache-airflow-providers-edge3)",
    "kubernetes": KUBERNETES,
    "roles": FAB,
    "sync-perm": FAB,
    "users": FAB,
}
"""Groups and commands that not every installation has, and what they require."""


def successor_of(name: str, airflow_major: int) -> str:
    """Return the current name of a command of Airflow 1.10; "" if there is none.

    :param name: its name
    :param airflow_major: the major version of the installed Airflow
    """
    if name == "webserver" and airflow_major < 3:
        return name
    return FORMER.get(name, ("",))[0]


def current_names(description: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    """Return the current names of commands that the installed Airflow has under another name, for users.

    :param description: from ``integrations.command_tables``; its ``renamed`` has Airflow's hints
    :param known: the names of the installed Airflow's commands and groups
    """
    current = {old: new for old, new in description.get("renamed", {}).items() if new in known}
    for old, successors in FORMER.items():
        successor = next((name for name in successors if name in known), "")
        if successor:
            current[old] = successor
    for old, similar in NEAREST.items():
        current.setdefault(old, similar)
    return {old: new for old, new in sorted(current.items()) if old not in known}


def requirements(known: Collection[str]) -> dict[str, str]:
    """Return the groups and commands that the installed Airflow lacks, and what they require.

    :param known: the names of the installed Airflow's commands and groups
    """
    return {name: requirement for name, requirement in REQUIREMENTS.items() if name not in known}
