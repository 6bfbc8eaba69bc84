"""The integration with Airflow 2, with every private name of it that this project uses."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.base import DagRecord
from airflow_remote_server.integrations.dag_models import (
    require_record,
    set_paused,  # noqa: F401 - a part of the Integration protocol
)
from airflow_remote_server.integrations.gunicorn_header import let_token_through
from airflow_remote_server.integrations.redirect_handlers import redirect_to_stderr
from airflow_remote_server.integrations.release import installed_release

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from flask.blueprints import BlueprintSetupState

PARSER = "scheduler"
"""The component that parses DAG files, for messages."""


def logs_to_stderr() -> None:
    """Send log lines to stderr."""
    redirect_to_stderr()


def watch_tested_task() -> Callable[[], bool]:
    """Return a function that returns False: `tasks test` of Airflow 2 exits with 1 if the task fails."""
    return lambda: False


def takes_parsing_requests() -> bool:
    """Return whether Airflow can be asked to parse a file before others, as it can since 2.10."""
    return installed_release() >= (2, 10)


def export_to_stdout() -> None:
    """Make `variables export -` print, as it does since 2.8; earlier releases write a file named ``-``.

    ``airflow.cli.commands.variable_command._variable_export_helper`` opens the file and prints the number
    of variables. ``open`` and ``print`` are shadowed in that module: the file becomes stdout, and the
    message goes to stderr, as in later releases.
    """
    from airflow.cli.commands import variable_command

    if not hasattr(variable_command, "_variable_export_helper"):
        return

    def open_file(path: str, *more: Any) -> Any:
        return contextlib.nullcontext(sys.stdout) if path == "-" else open(path, *more)  # noqa: PTH123

    def print_message(*words: object) -> None:
        sys.stdout.write("\n")  # later releases end the document with a line break
        print(*words, file=sys.stderr)

    variable_command.open = open_file
    variable_command.print = print_message


def request_parsing(dag_id: str) -> str:
    """Ask the DAG processor to parse the file of a DAG before others.

    :param dag_id: a DAG in the database
    :raises airflow.exceptions.DagNotFound: if the database has no such DAG
    """
    row = known_dag(dag_id)
    requested = _request(row.package)
    return f"Airflow was {'' if requested else 'already '}asked to parse {row.package}"


def request_parsing_of(path: Path, root: Path, bundle: str) -> None:
    """Ask the DAG processor to parse a file before others.

    :param path: the file
    :param root: the DAGs folder
    :param bundle: ignored on Airflow 2
    """
    _request(str(path))


def _request(path: str) -> bool:
    """Request a file; return False if an earlier request has not been handled yet."""
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    try:
        with create_session() as session:
            session.add(DagPriorityParsingRequest(fileloc=path))
    except IntegrityError:
        return False
    return True


def parse_file(path: str, bundle: str) -> tuple[list[str], dict[str, str]]:
    """Parse one DAG file into the database. Other DAGs do not change.

    :param path: the file
    :param bundle: ignored on Airflow 2
    :returns: the IDs of its DAGs; import errors by file
    """
    from airflow import settings
    from airflow.models.dagbag import DagBag

    # Otherwise, a DAG that was written a moment ago would not be updated.
    settings.MIN_SERIALIZED_DAG_UPDATE_INTERVAL = 0
    log_less()
    bag = DagBag(path, include_examples=False)
    bag.sync_to_db()
    return sorted(bag.dags), dict(bag.import_errors)


def examine_file(path: Path, root: Path, real: Path, bundle: str) -> tuple[dict[str, str], dict[str, str]]:
    """Parse one DAG file without any change to the database.

    :param path: the file, below ``root``
    :param root: a copy of the DAGs folder
    :param real: the DAGs folder
    :param bundle: ignored on Airflow 2
    :returns: the IDs of its DAGs, each with the hash of its future serialization; import errors by file
    """
    from airflow.models.dagbag import DagBag
    from airflow.models.serialized_dag import SerializedDagModel

    log_less()
    bag = DagBag(str(path), include_examples=False)
    hashes, errors = {}, dict(bag.import_errors)
    for dag_id, dag in bag.dags.items():
        dag.fileloc = dag.fileloc.replace(str(root), str(real), 1)
        try:
            hashes[dag_id] = SerializedDagModel(dag).dag_hash
        except Exception as error:  # noqa: BLE001 - a DAG may hold anything
            errors[str(path)] = f"{type(error).__name__}: {error}"
    return hashes, errors


def log_less() -> None:
    """Do not log which file is parsed, since it is the one that the user named."""
    logging.getLogger("airflow.models.dagbag").setLevel(logging.WARNING)


def known_dags(dag_ids: list[str]) -> dict[str, DagRecord]:
    """Return the records of DAGs in Airflow's database, by DAG ID.

    :param dag_ids: unknown ones are left out of the result
    """
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.file import correct_maybe_zipped
    from airflow.utils.session import create_session

    serialized = SerializedDagModel
    with create_session() as session:
        rows = (
            session.query(
                DagModel.dag_id,
                DagModel.fileloc,
                DagModel.is_active,
                DagModel.last_parsed_time,
                serialized.dag_hash,
                serialized.last_updated,
            )
            .outerjoin(serialized, serialized.dag_id == DagModel.dag_id)
            .filter(DagModel.dag_id.in_(dag_ids))
            .all()
        )
    return {
        dag_id: DagRecord(path, correct_maybe_zipped(path), "", *rest) for dag_id, path, *rest in rows if path
    }


def known_dag(dag_id: str) -> DagRecord:
    """Return the record of a DAG in Airflow's database.

    :param dag_id: the DAG
    :raises airflow.exceptions.DagNotFound: if the database has no such DAG
    """
    return require_record(dag_id, known_dags([dag_id]))


def import_error(path: Path, root: Path, bundle: str, since: datetime) -> str:
    """Return the import error that Airflow has recorded for a file since a time; "" if there is none.

    :param path: the file
    :param root: the DAGs folder
    :param bundle: ignored on Airflow 2
    :param since: the time
    """
    from airflow.models import errors
    from airflow.utils.session import create_session

    # Before Airflow 2.10, the model was named ImportError.
    errors_table = getattr(errors, "ParseImportError", None) or errors.ImportError
    with create_session() as session:
        errors_query = session.query(errors_table.filename, errors_table.stacktrace)
        rows = errors_query.filter(errors_table.timestamp > since).all()
    texts = [text for name, text in rows if name == str(path) or name.startswith(f"{path}/")]
    return texts[0] if texts else ""


def parser_runs() -> bool:
    """Return whether the scheduler, or a standalone DAG processor, runs."""
    from airflow.configuration import conf
    from airflow.jobs.job import most_recent_job

    standalone = conf.getboolean("scheduler", "standalone_dag_processor")
    job = most_recent_job("DagProcessorJob" if standalone else "SchedulerJob")
    return job is not None and bool(job.is_alive())


def plugin_members(middleware: type | None, href: str) -> dict[str, list[object]]:
    """Return the members of an Airflow 2 plugin.

    :param middleware: the class that wraps the webserver's WSGI application; None if it is wrapped elsewhere
    :param href: the target of the link in the Admin menu
    """
    from flask import Blueprint

    blueprint = Blueprint("airflow_remote_server", __name__)

    def wrap(state: BlueprintSetupState) -> None:
        """Wrap the Flask application that the blueprint is registered with."""
        assert middleware is not None  # noqa: S101 - for the type checker
        state.app.wsgi_app = middleware(state.app.wsgi_app)
        let_token_through()

    if middleware is not None:
        blueprint.record_once(wrap)
    return {
        "flask_blueprints": [blueprint],
        "appbuilder_menu_items": [{"name": "REST API", "category": "Admin", "href": href}],
    }
