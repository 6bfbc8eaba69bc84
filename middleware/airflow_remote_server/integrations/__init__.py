"""Where we meet Airflow: ``airflow2`` and ``airflow3`` hold every private name of theirs, each its own.

Both offer the same functions:

``logs_to_stderr()``
    keep log lines out of a command's stdout
``watch_tested_task()``
    tell afterwards whether the task of a `tasks test` failed
``request_parsing(dag_id)``
    ask Airflow to parse the file of one DAG again; returns what was asked
``parse_file(path)``
    parse one DAG file into the database; returns its DAG ids and its import errors
``plugin_members(wraps, href)``
    what a plugin has to declare, to wrap the webserver and to stand in its menu
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable


class Integration(Protocol):
    """What ``airflow2`` and ``airflow3`` have in common."""

    @staticmethod
    def logs_to_stderr() -> None: ...

    @staticmethod
    def watch_tested_task() -> Callable[[], bool]: ...

    @staticmethod
    def request_parsing(dag_id: str) -> str: ...

    @staticmethod
    def parse_file(path: str) -> tuple[list[str], dict[str, str]]: ...

    @staticmethod
    def plugin_members(wraps: bool, href: str) -> dict[str, list[object]]: ...


def installed() -> Integration:
    """The integration with the installed Airflow."""
    from airflow import __version__

    if int(__version__.split(".", 1)[0]) < 3:
        from airflow_remote_server.integrations import airflow2

        return cast("Integration", airflow2)
    from airflow_remote_server.integrations import airflow3

    return cast("Integration", airflow3)
