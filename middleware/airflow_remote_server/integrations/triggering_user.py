"""Who triggered a DAG run (Airflow 3.1 and later): the principal, not the user of the server's process.

The commands store the result of ``airflow.utils.platform.getuser`` in ``triggering_user_name``. Only their
own reference to this function is replaced: others decide by it which user runs a task (``run_as_user``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from airflow_remote_server.integrations.action_log import OWNER_PREFIX
from airflow_remote_server.integrations.patches import set_attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULES = {
    ("dags", "trigger"): "airflow.cli.commands.dag_command",
    ("assets", "materialize"): "airflow.cli.commands.asset_command",
    ("backfill", "create"): "airflow.cli.commands.backfill_command",
}
"""The commands that create runs in the name of a user, and their modules."""

FUNCTION = "getuser"


def set_triggering_user(argv: Sequence[str], principal: str) -> None:
    """Store the principal with the DAG runs that a command creates. Earlier releases store no user.

    :param argv: the arguments of the command
    :param principal: name of the principal that requested it
    """
    name = MODULES.get((argv[0], argv[1])) if len(argv) > 1 else None
    if name is None:
        return
    module = importlib.import_module(name)
    if hasattr(module, FUNCTION):
        set_attribute(module, FUNCTION, lambda: f"{OWNER_PREFIX}{principal}")
