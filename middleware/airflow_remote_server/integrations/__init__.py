"""Where we meet Airflow: ``airflow2`` and ``airflow3`` hold every private name of theirs, each its own.

Both offer the same functions:

``logs_to_stderr()``
    keep log lines out of a command's stdout
``watch_tested_task()``
    tell afterwards whether the task of a `tasks test` failed
``request_parsing(dag_id)``
    ask Airflow to parse the file of one DAG again; returns what was asked
``request_parsing_of(path, root, bundle)``
    the same for a file, of which Airflow need not know anything yet
``parse_file(path, bundle)``
    parse one DAG file into the database; returns its DAG ids and its import errors
``examine_file(path, root, real, bundle)``
    parse one DAG file and touch nothing; returns its DAG ids, each with the hash that its serialization will
    have once the file is below ``real``, and its import errors
``known_dags(dag_ids)``
    what Airflow's database has of DAGs: a ``Row`` each, of those that it knows
``import_error(path, root, bundle, since)``
    the import error of a file that Airflow has noted since a time; "" when it has not
``parser_runs()``
    whether what parses DAG files is running, and ``PARSER``, what that is
``plugin_members(wraps, href)``
    what a plugin has to declare, to wrap the webserver and to stand in its menu
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path


class Row(NamedTuple):
    """A DAG, as Airflow's database has it.

    :param path: of its file; of one in a package, a path below that of the package
    :param package: the path of its file or package
    :param bundle: its DAG bundle; "" on Airflow 2
    :param active: whether its file was there when it was last looked
    :param parsed: when its file was parsed last
    :param hash: of its serialization
    :param written: when that was written
    """

    path: str
    package: str
    bundle: str
    active: bool
    parsed: datetime | None
    hash: str | None
    written: datetime | None


class Integration(Protocol):
    """What ``airflow2`` and ``airflow3`` have in common."""

    PARSER: str

    @staticmethod
    def logs_to_stderr() -> None: ...

    @staticmethod
    def watch_tested_task() -> Callable[[], bool]: ...

    @staticmethod
    def request_parsing(dag_id: str) -> str: ...

    @staticmethod
    def request_parsing_of(path: Path, root: Path, bundle: str) -> None: ...

    @staticmethod
    def parse_file(path: str, bundle: str) -> tuple[list[str], dict[str, str]]: ...

    @staticmethod
    def examine_file(
        path: Path, root: Path, real: Path, bundle: str
    ) -> tuple[dict[str, str], dict[str, str]]: ...

    @staticmethod
    def known_dags(dag_ids: list[str]) -> dict[str, Row]: ...

    @staticmethod
    def import_error(path: Path, root: Path, bundle: str, since: datetime) -> str: ...

    @staticmethod
    def parser_runs() -> bool: ...

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
