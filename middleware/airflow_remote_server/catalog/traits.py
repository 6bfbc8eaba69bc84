"""Traits of Airflow's commands that Airflow's parser does not describe, by rule or by the command's name.

The facts come from reading and running the commands of Airflow 2.11 and 3.3 and of their providers. A test
fails if a supported Airflow has a command that is not covered here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import Confirmation, Prompt

if TYPE_CHECKING:
    from collections.abc import Collection

READING = frozenset(
    {
        "check",
        "check-migrations",
        "cheat-sheet",
        "details",
        "export",
        "failed-deps",
        "generate-dag-yaml",
        "get",
        "get-value",
        "info",
        "lint",
        "list",
        "list-import-errors",
        "list-jobs",
        "list-runs",
        "list-workers",
        "next-execution",
        "plugins",
        "render",
        "report",
        "show",
        "show-dependencies",
        "state",
        "states-for-dag-run",
        "status",
        "version",
    }
)
"""The last words of commands that change nothing, in every group."""

READING_GROUPS = ("providers",)
READING_COMMANDS = frozenset({"connections test"})

WRITING = frozenset(
    {
        "api-server",
        "backfill",
        "clean",
        "clear",
        "create-default-connections",
        "dag-processor",
        "delete",
        "downgrade",
        "drop-archived",
        "export-archived",
        "flower",
        "import",
        "kerberos",
        "maintenance",
        "materialize",
        "migrate",
        "pause",
        "permissions-cleanup",
        "reserialize",
        "reset",
        "reset-password",
        "rotate-fernet-key",
        "run",
        "scheduler",
        "set",
        "set-worker-concurrency",
        "shell",
        "standalone",
        "stop",
        "sync",
        "sync-perm",
        "test",
        "trigger",
        "triggerer",
        "unpause",
        "update",
        "upgrade",
        "webserver",
        "worker",
    }
)
"""The last words of commands that change something."""

WRITING_VERBS = (
    "add-",
    "cleanup-",
    "create",
    "del-",
    "init",
    "remote-",
    "remove-",
    "shutdown-",
    "update-",
    "add",
)
"""Prefixes of the last words of other commands that change something."""

CONFIRMS_WITH = {
    "dags backfill": ("reset_dagruns",),
    "dags pause": ("treat_dag_id_as_regex",),
    "dags unpause": ("treat_dag_id_as_regex",),
    "db export-archived": ("drop_archives",),
}
"""Commands that ask for confirmation only with one of these flags; others that have ``--yes`` always ask."""

DRY_RUN_FLAGS = ("dry_run", "show_sql_only")
"""Flags with which a command does nothing, and so does not ask for confirmation."""

PROMPTS_FOR_PASSWORD = frozenset({"users create", "users reset-password"})

LONG = frozenset(
    {
        "dags backfill",
        "dags reserialize",
        "dags test",
        "db clean",
        "db migrate",
        "db upgrade",
        "tasks run",
        "tasks test",
    }
)
"""Commands that may take minutes."""

PARSES_DAGS = frozenset(
    {
        "dags backfill",
        "dags list",
        "dags list-import-errors",
        "dags report",
        "dags reserialize",
        "dags show",
        "dags test",
        "kubernetes generate-dag-yaml",
        "tasks clear",
        "tasks failed-deps",
        "tasks list",
        "tasks render",
        "tasks run",
        "tasks state",
        "tasks test",
    }
)
"""Commands that run the code of DAG files."""

PRINTS_SECRETS = frozenset(
    {
        "config get-value",
        "config list",
        "connections add",
        "connections export",
        "connections get",
        "connections list",
        "info",
        "kubernetes generate-dag-yaml",
        "standalone",
        "tasks render",
        "users create",
        "variables export",
        "variables get",
        "variables list",
    }
)
"""Commands that may print secrets."""

EXCLUSIVE = {
    "connections add": (("conn_uri", "conn_json", "conn_type"),),
    "users create": (("password", "use_random_password"),),
    "users reset-password": (("password", "use_random_password"), ("username", "email")),
}
"""Arguments of a command that exclude each other."""


@dataclass(frozen=True)
class Traits:
    """Traits of a command.

    :param read_only: it changes nothing
    :param covered: this module knows the command
    :param long_running: it may take minutes
    :param parses_dags: it runs the code of DAG files
    :param prints_secrets: it may print secrets
    """

    read_only: bool
    covered: bool
    long_running: bool
    parses_dags: bool
    prints_secrets: bool


def traits_of(command: str) -> Traits:
    """Return the traits of a command.

    :param command: its words after ``airflow``
    """
    last = command.rpartition(" ")[2]
    reads = (
        last in READING
        or command.startswith(tuple(f"{group} " for group in READING_GROUPS))
        or command in READING_COMMANDS
    )
    writes = last in WRITING or last.startswith(WRITING_VERBS)
    return Traits(
        read_only=reads,
        covered=reads or writes,
        long_running=command in LONG,
        parses_dags=command in PARSES_DAGS,
        prints_secrets=command in PRINTS_SECRETS,
    )


def confirmation_of(command: str, arguments: Collection[str]) -> Confirmation | None:
    """Return how a command asks for confirmation; None if it does not ask.

    :param command: its words after ``airflow``
    :param arguments: the names of its arguments
    """
    if "yes" not in arguments:
        return None
    unless = tuple(flag for flag in DRY_RUN_FLAGS if flag in arguments)
    return Confirmation("yes", CONFIRMS_WITH.get(command, ()), unless)


def prompts_of(command: str) -> tuple[Prompt, ...]:
    """Return the values that a command prompts for if they are not given.

    :param command: its words after ``airflow``
    """
    return (Prompt("password", ("use_random_password",)),) if command in PROMPTS_FOR_PASSWORD else ()


def exclusive_arguments_of(command: str, arguments: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of arguments that exclude each other.

    :param command: its words after ``airflow``
    :param arguments: the names of its arguments
    """
    groups = EXCLUSIVE.get(command, ())
    return tuple(group for group in groups if sum(name in arguments for name in group) > 1)
