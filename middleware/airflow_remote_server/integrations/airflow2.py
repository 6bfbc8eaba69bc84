"""Airflow 2: every name of its private parts, and of gunicorn's, that this project uses."""

from __future__ import annotations

import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations import Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from flask.blueprints import BlueprintSetupState

log = logging.getLogger(__name__)

PARSER = "scheduler"
"""What parses DAG files, for people."""

TOKEN_FIELD = "REST_API_PLUGIN_HTTP_TOKEN"  # noqa: S105 - a name


POLICY_PARAMETERS = (
    "self",
    "name",
    "value",
    "scheme_state",
    "seen",
    "secure_scheme_headers",
    "forwarder_headers",
)
"""Of ``HeaderPolicy._apply_header_policy`` of gunicorn 27."""


def logs_to_stderr() -> None:
    """Send the log lines of this process to stderr (``airflow.utils.log.logging_mixin``).

    ``RedirectStdHandler`` looks at sys.stdout each time it writes, so swapping sys.stdout is not enough.
    """
    from airflow.utils.log.logging_mixin import RedirectStdHandler

    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", []):
            if isinstance(handler, RedirectStdHandler):
                handler._use_stderr = True


def watch_tested_task() -> Callable[[], bool]:
    """Nothing to watch: `tasks test` of Airflow 2 exits with 1 when the task fails."""
    return lambda: False


def request_parsing(dag_id: str) -> str:
    """Ask the DAG processor to parse a DAG's file before others.

    :param dag_id: a DAG that the database knows
    :raises airflow.exceptions.DagNotFound: when it does not
    """
    from airflow.exceptions import DagNotFound

    row = known_dags([dag_id]).get(dag_id)
    if row is None:
        raise DagNotFound(f"DAG {dag_id!r} is not in Airflow's database")
    asked = _request(row.package)
    return f"Parsing of {row.package} {'is asked for' if asked else 'was asked for already'}"


def request_parsing_of(path: Path, root: Path, bundle: str) -> None:
    """Ask the DAG processor to parse a file before others.

    :param path: the file
    :param root: the DAGs folder
    :param bundle: nothing on Airflow 2
    """
    _request(str(path))


def _request(path: str) -> bool:
    """Ask for a file; False when that was done already, and it has not been parsed yet."""
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
    """Parse one DAG file into the database; other DAGs stay as they are.

    :param path: the file
    :param bundle: nothing on Airflow 2
    :returns: its DAG ids; import errors by file
    """
    from airflow import settings
    from airflow.models.dagbag import DagBag

    # Else what was written a moment ago stays, though the file is another one by now.
    settings.MIN_SERIALIZED_DAG_UPDATE_INTERVAL = 0
    say_less()
    bag = DagBag(path, include_examples=False)
    bag.sync_to_db()
    return sorted(bag.dags), dict(bag.import_errors)


def examine_file(path: Path, root: Path, real: Path, bundle: str) -> tuple[dict[str, str], dict[str, str]]:
    """Parse one DAG file, and touch nothing.

    :param path: the file, below ``root``
    :param root: a folder that looks like the DAGs folder
    :param real: the DAGs folder
    :param bundle: nothing on Airflow 2
    :returns: DAG ids, each with the hash that its serialization will have; import errors by file
    """
    from airflow.models.dagbag import DagBag
    from airflow.models.serialized_dag import SerializedDagModel

    say_less()
    bag = DagBag(str(path), include_examples=False)
    hashes, errors = {}, dict(bag.import_errors)
    for dag_id, dag in bag.dags.items():
        dag.fileloc = dag.fileloc.replace(str(root), str(real), 1)
        try:
            hashes[dag_id] = SerializedDagModel(dag).dag_hash
        except Exception as error:  # whatever a DAG holds that cannot be serialized
            errors[str(path)] = f"{type(error).__name__}: {error}"
    return hashes, errors


def say_less() -> None:
    """Have this process not say which files it parses: there is one, and its user knows."""
    logging.getLogger("airflow.models.dagbag").setLevel(logging.WARNING)


def known_dags(dag_ids: list[str]) -> dict[str, Row]:
    """What the database has of some DAGs, by id.

    :param dag_ids: those that it does not know are left out
    """
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.file import correct_maybe_zipped
    from airflow.utils.session import create_session

    kept = SerializedDagModel
    with create_session() as session:
        found = (
            session.query(
                DagModel.dag_id,
                DagModel.fileloc,
                DagModel.is_active,
                DagModel.last_parsed_time,
                kept.dag_hash,
                kept.last_updated,
            )
            .outerjoin(kept, kept.dag_id == DagModel.dag_id)
            .filter(DagModel.dag_id.in_(dag_ids))
            .all()
        )
    return {dag_id: Row(path, correct_maybe_zipped(path), "", *rest) for dag_id, path, *rest in found if path}


def import_error(path: Path, root: Path, bundle: str, since: datetime) -> str:
    """The import error of a file that Airflow has noted since a time; "" when it has not.

    :param path: the file
    :param root: the DAGs folder
    :param bundle: nothing on Airflow 2
    :param since: the time
    """
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session

    with create_session() as session:
        noted = session.query(ParseImportError.filename, ParseImportError.stacktrace)
        found = noted.filter(ParseImportError.timestamp > since).all()
    texts = [text for name, text in found if name == str(path) or name.startswith(f"{path}/")]
    return texts[0] if texts else ""


def parser_runs() -> bool:
    """Whether what parses DAG files is running: the scheduler, or a DAG processor that is apart from it."""
    from airflow.configuration import conf
    from airflow.jobs.job import most_recent_job

    apart = conf.getboolean("scheduler", "standalone_dag_processor")
    job = most_recent_job("DagProcessorJob" if apart else "SchedulerJob")
    return job is not None and bool(job.is_alive())


def plugin_members(wraps: bool, href: str) -> dict[str, list[object]]:
    """The members of an Airflow 2 plugin.

    :param wraps: whether it wraps the webserver
    :param href: the page, for the link in the Admin menu
    """
    from flask import Blueprint

    blueprint = Blueprint("airflow_remote_server", __name__)
    if wraps:
        blueprint.record_once(wrap)
    return {
        "flask_blueprints": [blueprint],
        "appbuilder_menu_items": [{"name": "REST API", "category": "Admin", "href": href}],
    }


def wrap(state: BlueprintSetupState) -> None:
    """Put the middleware around the Flask application that a blueprint is registered with."""
    from airflow_remote_server.middleware import RestApiMiddleware

    state.app.wsgi_app = RestApiMiddleware(state.app.wsgi_app)
    let_token_through()


def let_token_through() -> None:
    """Make gunicorn accept the seed's header, whose name has underscores.

    gunicorn >= 22 drops such headers unless they come from a trusted proxy, and `airflow webserver` leaves
    no room for a configuration. This is the narrowest way: one header name more that any peer may send,
    in ``gunicorn.http.message.HeaderPolicy._apply_header_policy``. An older gunicorn, or another one that
    lacks this method, is left as it is: the hyphenated name and the gunicorn config work without it.
    """
    message = sys.modules.get("gunicorn.http.message")
    policy = getattr(message, "HeaderPolicy", None)
    original: Any = getattr(policy, "_apply_header_policy", None)
    known = original is not None and tuple(inspect.signature(original).parameters)[:7] == POLICY_PARAMETERS
    if not known and not getattr(original, "lets_token_through", False):
        if message is not None:
            log.info("This gunicorn drops rest_api_plugin_http_token; send rest-api-plugin-http-token")
        return
    if getattr(original, "lets_token_through", False):
        return

    def apply(self: Any, name: str, *rest: Any, **more: Any) -> Any:
        value, scheme_state, seen, secure_scheme_headers, forwarder_headers = rest
        if name == TOKEN_FIELD:
            forwarder_headers = [TOKEN_FIELD]
        return original(
            self, name, value, scheme_state, seen, secure_scheme_headers, forwarder_headers, **more
        )

    apply.lets_token_through = True  # type: ignore[attr-defined]
    policy._apply_header_policy = apply  # type: ignore[union-attr]  # known, so it is there
