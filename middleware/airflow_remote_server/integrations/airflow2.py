"""Airflow 2: every name of its private parts, and of gunicorn's, that this project uses."""

from __future__ import annotations

import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.blueprints import BlueprintSetupState

log = logging.getLogger(__name__)

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
    from airflow.models.dag import DagModel
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    try:
        with create_session() as session:
            fileloc = session.query(DagModel.fileloc).filter(DagModel.dag_id == dag_id).scalar()
            if fileloc is None:
                raise DagNotFound(f"DAG {dag_id!r} is not in Airflow's database")
            session.add(DagPriorityParsingRequest(fileloc=fileloc))
    except IntegrityError:
        return f"Parsing of {fileloc} was asked for already"
    return f"Parsing of {fileloc} is asked for"


def parse_file(path: str) -> tuple[list[str], dict[str, str]]:
    """Parse one DAG file into the database; other DAGs stay as they are.

    :param path: the file
    :returns: its DAG ids; import errors by file
    """
    from airflow.models.dagbag import DagBag

    bag = DagBag(path, include_examples=False)
    bag.sync_to_db()
    return sorted(bag.dags), dict(bag.import_errors)


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
