"""What commands of former Airflows are called today."""

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
"""Names in Airflow 1.10 and 2, and what they became: the first that the installed Airflow has is today's."""

FAB = "the FAB auth manager (pip install apache-airflow-providers-fab)"
CELERY = "a Celery executor ([core] executor) and apache-airflow-providers-celery"
KUBERNETES = "a Kubernetes executor ([core] executor) and apache-airflow-providers-cncf-kubernetes"

NEAREST = {
    "run": "tasks test, dags trigger and tasks clear",
    "tasks run": "tasks test, dags trigger and tasks clear",
}
"""What has no equivalent any more, and the nearest there is."""

NEEDS = {
    "celery": CELERY,
    "edge": "the edge provider (pip install apache-airflow-providers-edge3)",
    "kubernetes": KUBERNETES,
    "roles": FAB,
    "sync-perm": FAB,
    "users": FAB,
}
"""Groups and commands that are not in every Airflow, and what they need."""


def renamed(description: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    """Former names, each with today's, for people.

    :param description: from ``integrations.cli``; its own ``renamed`` has Airflow's own hints
    :param known: names of the installed Airflow's commands and groups
    """
    found = {old: new for old, new in description.get("renamed", {}).items() if new in known}
    for old, names in FORMER.items():
        today = next((name for name in names if name in known), "")
        if today:
            found[old] = today
    for old, nearest in NEAREST.items():
        found.setdefault(old, nearest)
    return {old: new for old, new in sorted(found.items()) if old not in known}


def missing(known: Collection[str]) -> dict[str, str]:
    """Groups and commands that the installed Airflow could have, and what they need.

    :param known: names of its commands and groups
    """
    return {name: needed for name, needed in NEEDS.items() if name not in known}
