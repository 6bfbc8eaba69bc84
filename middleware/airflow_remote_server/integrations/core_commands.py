"""The commands of Airflow that run only Airflow's own code, so that a process may run several of them.

They read and write the database. They do not parse DAG files, and run no task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.integrations.release import installed_release

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMON = frozenset(
    {
        ("version",),
        ("connections", "delete"),
        ("connections", "list"),
        ("dags", "list-runs"),
        ("dags", "pause"),
        ("dags", "trigger"),
        ("dags", "unpause"),
        ("pools", "delete"),
        ("pools", "get"),
        ("pools", "list"),
        ("pools", "set"),
        ("variables", "delete"),
        ("variables", "get"),
        ("variables", "list"),
        ("variables", "set"),
    }
)
"""These commands do not parse DAG files in any release."""

AIRFLOW_3 = COMMON | frozenset(
    {
        ("assets", "details"),
        ("assets", "list"),
        ("dags", "details"),
        ("dags", "list"),
        ("dags", "list-import-errors"),
        ("dags", "next-execution"),
        ("dags", "state"),
    }
)
"""Airflow 3 reads the DAGs of further commands from the database."""

PARSING_OPTIONS = ("--subdir", "--local", "--bundle-name")
"""With these options, a command may parse DAG files."""


def is_core_command(argv: Sequence[str]) -> bool:
    """Return whether a command runs only Airflow's own code.

    :param argv: the words after ``airflow``, with the long names of options
    """
    commands = COMMON if installed_release() < (3, 0) else AIRFLOW_3
    if tuple(argv[:1]) not in commands and tuple(argv[:2]) not in commands:
        return False
    options = argv[: argv.index("--")] if "--" in argv else argv
    return not any(word.partition("=")[0] in PARSING_OPTIONS for word in options)
