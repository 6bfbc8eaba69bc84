"""What a command of Airflow's does, as far as its parser does not tell: by rule or, where none fits, by name.

The facts come from reading and running the commands of Airflow 2.11 and 3.3 and of their providers. A test
fails when a supported Airflow has a command that is not covered here, or an argument that looks like a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_remote_server.catalogue.spec import Ask, Confirm, Kind

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
"""The last words of commands that change nothing, whatever group they are in."""

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
"""How the last words of further ones begin."""

ASKS_WHEN = {
    "dags backfill": ("reset_dagruns",),
    "dags pause": ("treat_dag_id_as_regex",),
    "dags unpause": ("treat_dag_id_as_regex",),
    "db export-archived": ("drop_archives",),
}
"""Commands that ask only when one of these is given; the others with ``--yes`` always do."""

ASKS_NOT = ("dry_run", "show_sql_only")
"""Flags with which nothing is done, and so nothing asked."""

ASKS_PASSWORD = frozenset({"users create", "users reset-password"})

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

EXCLUSIVE = {
    "connections add": (("conn_uri", "conn_json", "conn_type"),),
    "users create": (("password", "use_random_password"),),
    "users reset-password": (("password", "use_random_password"), ("username", "email")),
}

UPLOADS = frozenset(
    {
        ("connections import", "file"),
        ("pools import", "file"),
        ("roles import", "file"),
        ("users import", "import"),
        ("variables import", "file"),
    }
)

DOWNLOADS = frozenset(
    {
        ("connections export", "file"),
        ("dags show", "save"),
        ("dags show-dependencies", "save"),
        ("dags test", "save_dagrun"),
        ("pools export", "file"),
        ("roles export", "file"),
        ("users export", "export"),
        ("variables export", "file"),
    }
)

FOLDERS = frozenset({("db export-archived", "output_path"), ("kubernetes generate-dag-yaml", "output_path")})

DAGS_PATHS = frozenset({"dagfile_path", "subdir"})

JSON_NAMES = frozenset({"conf", "conn_extra", "conn_json", "dag_run_conf", "task_params"})

TYPES = {
    "int": Kind.INTEGER,
    "_check": Kind.INTEGER,  # positive_int of airflow.cli.cli_config
    "float": Kind.NUMBER,
    "parse": Kind.DATE,  # of pendulum, by airflow.utils.timezone
    "loads": Kind.JSON,
}
"""Names of the functions that Airflow's parser reads values with."""

SECRET_NAMES = frozenset({"basic_auth", "broker_api", "conn_extra", "conn_json", "conn_uri"})
SECRETS = frozenset({("variables set", "value")})

TWO_WORDS = frozenset({"conn_json", "conn_uri"})
"""Options whose values Airflow's audit log masks only as a word of their own."""

IN_BACKGROUND = "daemon"
"""Who has this flag runs until it is stopped, and is a job in any case."""


@dataclass(frozen=True)
class Traits:
    """What a command does.

    :param read_only: it changes nothing
    :param covered: this module knows
    :param long_running: it may take minutes
    :param parses_dags: it runs the code of DAG files
    :param prints_secrets: it may show what is secret
    """

    read_only: bool
    covered: bool
    long_running: bool
    parses_dags: bool
    prints_secrets: bool


def traits(name: str) -> Traits:
    """What a command does.

    :param name: its words after ``airflow``
    """
    last = name.rpartition(" ")[2]
    reading = last in READING or name.startswith(tuple(f"{group} " for group in READING_GROUPS))
    reading = reading or name in READING_COMMANDS
    writing = last in WRITING or last.startswith(WRITING_VERBS)
    return Traits(
        read_only=reading,
        covered=reading or writing,
        long_running=name in LONG,
        parses_dags=name in PARSES_DAGS,
        prints_secrets=name in PRINTS_SECRETS,
    )


def confirm(name: str, arguments: Collection[str]) -> Confirm | None:
    """How a command asks before it acts; None when it does not.

    :param name: its words after ``airflow``
    :param arguments: the names of its arguments
    """
    if "yes" not in arguments:
        return None
    unless = tuple(flag for flag in ASKS_NOT if flag in arguments)
    return Confirm("yes", ASKS_WHEN.get(name, ()), unless)


def asks(name: str) -> tuple[Ask, ...]:
    """What a command asks for when it is not given.

    :param name: its words after ``airflow``
    """
    return (Ask("password", ("use_random_password",)),) if name in ASKS_PASSWORD else ()


def kind(command: str, name: str, flag: bool, type: str) -> Kind:
    """What the value of an argument must be.

    :param command: the command's words after ``airflow``
    :param name: the argument
    :param flag: whether it takes no value
    :param type: the name of the function that Airflow's parser reads it with
    """
    if flag:
        return Kind.FLAG
    for table, found in ((UPLOADS, Kind.UPLOAD), (DOWNLOADS, Kind.DOWNLOAD), (FOLDERS, Kind.FOLDER)):
        if (command, name) in table:
            return found
    if name in DAGS_PATHS:
        return Kind.DAGS_PATH
    if name in JSON_NAMES:
        return Kind.JSON
    return TYPES.get(type, Kind.TEXT)


def secret(command: str, name: str) -> bool:
    """Whether the value of an argument must never be shown.

    :param command: the command's words after ``airflow``
    :param name: the argument, which takes a value
    """
    return name in SECRET_NAMES or (command, name) in SECRETS or "password" in name or "secret" in name
