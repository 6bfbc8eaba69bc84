"""Watch what a command does where Airflow neither prints it nor ends with another exit code.

A watch replaces a function of Airflow in the process of the command, and returns the warning once the command
has ended.
"""

from __future__ import annotations

from collections.abc import Callable  # Watch needs it at run time
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.base import call_guarded
from airflow_remote_server.integrations.installed import installed_integration
from airflow_remote_server.integrations.patches import set_attribute
from airflow_remote_server.integrations.release import installed_release

if TYPE_CHECKING:
    from collections.abc import Sequence

Watch = Callable[[], str]
"""Returns the warning for a command that has ended with exit code 0; "" if there is none."""

TESTED_TASK_FAILED = "the task failed; `tasks test` of this Airflow exits with 0 anyway"
NOTHING_CLEARED = "no task instance was cleared"
PLAIN_TEXT = "; Airflow 3 compares task_regex as plain text with a part of the task ID"
EXISTING_ROLES = "these roles existed already: "
NO_VARIABLE = "there was no variable with this key"


def start_watch(argv: Sequence[str]) -> Watch | None:
    """Start to watch a command; return None if there is nothing to watch, or Airflow has changed.

    :param argv: the words after ``airflow``
    """
    start = WATCHES.get(tuple(argv[:2]))
    return None if start is None else call_guarded(lambda: start(argv), None)


def watch_tested_task(argv: Sequence[str]) -> Watch:
    """Watch whether the task that `tasks test` runs fails."""
    failed = installed_integration().watch_tested_task()
    return lambda: TESTED_TASK_FAILED if failed() else ""


def watch_cleared_tasks(argv: Sequence[str]) -> Watch:
    """Watch whether `tasks clear` clears anything, which Airflow 2 prints itself."""
    if installed_release() < (3, 0):
        return lambda: ""
    from airflow.serialization.definitions.dag import SerializedDAG

    cleared = _record_results(SerializedDAG, "clear_dags", classmethod)
    has_pattern = any(word.startswith("--task-regex") for word in argv)
    return lambda: "" if cleared != [0] else NOTHING_CLEARED + (PLAIN_TEXT if has_pattern else "")


def watch_deleted_variable(argv: Sequence[str]) -> Watch:
    """Watch whether `variables delete` deletes anything."""
    from airflow.models.variable import Variable

    deleted = _record_results(Variable, "delete", staticmethod)
    return lambda: NO_VARIABLE if deleted == [0] else ""


def watch_created_roles(argv: Sequence[str]) -> Watch:
    """Watch whether `roles create` creates the roles, which it says of existing ones too."""
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride

    original, existing = FabAirflowSecurityManagerOverride.add_role, []

    def add_role(self: Any, name: str) -> Any:
        # FAB itself adds Admin and Public, which exist, at its start.
        if name in argv and name not in existing and self.find_role(name) is not None:
            existing.append(name)
        return original(self, name)

    set_attribute(FabAirflowSecurityManagerOverride, "add_role", add_role)
    return lambda: EXISTING_ROLES + ", ".join(existing) if existing else ""


def _record_results(
    owner: type, name: str, kind: type[classmethod[Any, Any, Any] | staticmethod[Any, Any]]
) -> list[Any]:
    """Replace a method of a class by one that records what it returns, and return the record.

    :param owner: the class
    :param name: of the method
    :param kind: ``classmethod`` or ``staticmethod``
    :raises AttributeError: if the class has no such method
    """
    original, results = getattr(owner, name), []

    def record(*arguments: Any, **options: Any) -> Any:
        bound = arguments[1:] if kind is classmethod else arguments
        results.append(original(*bound, **options))
        return results[-1]

    set_attribute(owner, name, kind(record))
    return results


WATCHES: dict[tuple[str, ...], Callable[[Sequence[str]], Watch]] = {
    ("roles", "create"): watch_created_roles,
    ("tasks", "clear"): watch_cleared_tasks,
    ("tasks", "test"): watch_tested_task,
    ("variables", "delete"): watch_deleted_variable,
}
"""The watches by the words of the command."""
