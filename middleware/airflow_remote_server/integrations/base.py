"""The interface that the integrations with Airflow 2 and 3 share, and a guard for private names."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")

log = logging.getLogger(__name__)


class DagRecord(NamedTuple):
    """A DAG in Airflow's database.

    :param path: the path of its file; for a DAG in a ZIP package, a path below that of the package
    :param package: the path of its file or package
    :param bundle: the name of its DAG bundle; "" on Airflow 2
    :param active: whether the file existed when Airflow last looked
    :param parsed: when the file was last parsed
    :param hash: the hash of the serialized DAG
    :param written: when the serialized DAG was written
    """

    path: str
    package: str
    bundle: str
    active: bool
    parsed: datetime | None
    hash: str | None
    written: datetime | None


class Integration(Protocol):
    """The functions that the modules ``airflow2`` and ``airflow3`` both offer."""

    PARSER: str
    """The name of the component that parses DAG files, for messages."""

    @staticmethod
    def logs_to_stderr() -> None:
        """Send log lines to stderr, so that stdout holds only the output of the command."""

    @staticmethod
    def watch_tested_task() -> Callable[[], bool]:
        """Watch the task that `tasks test` runs.

        :returns: a function that returns whether the task failed, once the command has ended
        """

    @staticmethod
    def takes_parsing_requests() -> bool:
        """Return whether Airflow can be asked to parse a file before others (``request_parsing``)."""

    @staticmethod
    def export_to_stdout() -> None:
        """Make `variables export -` print its document."""

    @staticmethod
    def request_parsing(dag_id: str) -> str:
        """Ask Airflow to parse the file of a DAG before others.

        :param dag_id: a DAG in the database
        :returns: a message that says which file was requested
        :raises airflow.exceptions.DagNotFound: if the database has no such DAG
        """

    @staticmethod
    def request_parsing_of(path: Path, root: Path, bundle: str) -> None:
        """Ask Airflow to parse a file, which may be new, before others.

        :param path: the file
        :param root: the DAGs folder, or the folder of the DAG bundle
        :param bundle: the name of the bundle; ignored on Airflow 2
        """

    @staticmethod
    def parse_file(path: str, bundle: str) -> tuple[list[str], dict[str, str]]:
        """Parse one DAG file into the database. Other DAGs do not change.

        :param path: the file
        :param bundle: the name of its bundle; "" for the one whose folder contains it; ignored on Airflow 2
        :returns: the IDs of its DAGs, and import errors by file
        :raises LookupError: if no bundle contains the file (Airflow 3)
        """

    @staticmethod
    def examine_file(
        path: Path, root: Path, real: Path, bundle: str
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Parse one DAG file without any change to the database.

        :param path: the file, below ``root``
        :param root: a copy of the DAGs folder, or of the folder of the DAG bundle
        :param real: the folder itself
        :param bundle: the name of the bundle; ignored on Airflow 2
        :returns: the IDs of its DAGs, each with the hash that its serialization will have once the file is
            below ``real``; and import errors by file
        """

    @staticmethod
    def known_dags(dag_ids: list[str]) -> dict[str, DagRecord]:
        """Return the records of DAGs in Airflow's database, by DAG ID.

        :param dag_ids: unknown ones are left out of the result
        """

    @staticmethod
    def known_dag(dag_id: str) -> DagRecord:
        """Return the record of a DAG in Airflow's database.

        :param dag_id: the DAG
        :raises airflow.exceptions.DagNotFound: if the database has no such DAG
        """

    @staticmethod
    def set_paused(dag_ids: list[str], paused: bool) -> None:
        """Pause or unpause DAGs.

        :param dag_ids: DAGs in Airflow's database
        :param paused: whether to pause them
        """

    @staticmethod
    def import_error(path: Path, root: Path, bundle: str, since: datetime) -> str:
        """Return the import error that Airflow has recorded for a file since a time; "" if there is none.

        :param path: the file
        :param root: the DAGs folder, or the folder of the DAG bundle
        :param bundle: the name of the bundle; ignored on Airflow 2
        :param since: the time
        """

    @staticmethod
    def parser_runs() -> bool:
        """Return whether the component that parses DAG files runs."""

    @staticmethod
    def plugin_members(middleware: type | None, href: str) -> dict[str, list[object]]:
        """Return the members of an Airflow plugin that wraps the webserver and adds a link to its menu.

        :param middleware: the class that wraps the application; None if it is wrapped elsewhere
        :param href: the target of the link
        """


def call_guarded(function: Callable[[], T], fallback: T, message: str = "Skipped") -> T:
    """Call a function that uses private names of Airflow for something that is not essential.

    :param function: may raise anything, since a private name may be missing or change in any release
    :param fallback: the value to return if it raises
    :param message: begins the log line if it raises
    """
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - see above
        name = getattr(function, "__qualname__", function)
        log.debug("%s: %s (%s: %s)", message, name, type(error).__name__, error)
        return fallback
