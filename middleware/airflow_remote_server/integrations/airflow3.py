"""The integration with Airflow 3, with every private name of it that this project uses."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations import airflow3_bags
from airflow_remote_server.integrations.base import DagRecord
from airflow_remote_server.integrations.dag_models import (
    require_record,
    set_paused,  # noqa: F401 - a part of the Integration protocol
)
from airflow_remote_server.integrations.redirect_handlers import redirect_to_stderr
from airflow_remote_server.integrations.release import installed_release

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

PARSER = "DAG processor"
"""The component that parses DAG files, for messages."""


def logs_to_stderr() -> None:
    """Send log lines to stderr (``airflow._shared.logging.structlog``).

    Airflow was imported while sys.stdout was stderr. The handlers of the standard library have kept that
    stream, but structlog's factory may have been created earlier.
    """
    import structlog

    with contextlib.suppress(ImportError):  # only Airflow 3.0 has these handlers
        redirect_to_stderr()
    factory = structlog.get_config()["logger_factory"]
    for name in ("io", "_file"):  # Airflow's own factory; structlog's, in Airflow 3.0
        if hasattr(factory, name):
            setattr(factory, name, sys.stderr.buffer if _writes_bytes(factory, name) else sys.stderr)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.__stdout__:
            handler.setStream(sys.stderr)


def _writes_bytes(factory: Any, name: str) -> bool:
    """Return whether the loggers of a structlog factory write bytes, as loggers of JSON do.

    :param factory: a logger factory
    :param name: the name of its stream attribute, which may be None until something is logged
    """
    import structlog

    kinds = (structlog.BytesLogger, structlog.BytesLoggerFactory)
    kind = getattr(factory, "cls", type(factory))
    if isinstance(kind, type) and issubclass(kind, kinds):
        return True
    stream = getattr(factory, name)
    return "b" in getattr(stream, "mode", "") or isinstance(stream, type(sys.stderr.buffer))


def watch_tested_task() -> Callable[[], bool]:
    """Watch the task that `tasks test` runs, since the command exits with 0 even if it fails.

    :returns: a function that returns whether the task failed, once the command has ended
    """
    from airflow.cli.commands import task_command

    original: Any = task_command._run_task  # noqa: SLF001 - guarded by the caller
    failed = False

    def run_task(*, ti: Any, **options: Any) -> Any:
        nonlocal failed
        result = original(ti=ti, **options)
        failed = ti.state == "failed"
        return result

    task_command._run_task = run_task  # noqa: SLF001 - as above
    return lambda: failed


def takes_parsing_requests() -> bool:
    """Return True: every release of Airflow 3 can be asked to parse a file before others."""
    return True


def request_parsing(dag_id: str) -> str:
    """Ask the DAG processor to parse the file of a DAG before others.

    :param dag_id: a DAG in the database
    :raises airflow.exceptions.DagNotFound: if the database has no such DAG
    """
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    row = known_dag(dag_id)
    with create_session() as session:
        file = session.execute(
            select(DagModel.relative_fileloc).where(DagModel.dag_id == dag_id)
        ).scalar_one()
    file = file.removesuffix(row.path.removeprefix(row.package))  # a ZIP package is parsed as a whole
    requested = _request(row.bundle, file)
    return f"Airflow was {'' if requested else 'already '}asked to parse {file} of bundle {row.bundle}"


def export_to_stdout() -> None:
    """Do nothing: `variables export -` of Airflow 3 prints."""


def request_parsing_of(path: Path, root: Path, bundle: str) -> None:
    """Ask the DAG processor to parse a file before others.

    :param path: the file
    :param root: the folder of its DAG bundle
    :param bundle: the bundle's name
    """
    _request(bundle, str(path.relative_to(root)))


def _request(bundle: str, file: str) -> bool:
    """Request a file; return False if an earlier request has not been handled yet."""
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    try:
        with create_session() as session:
            session.add(DagPriorityParsingRequest(bundle_name=bundle, relative_fileloc=file))
    except IntegrityError:
        return False
    return True


def parse_file(path: str, bundle: str) -> tuple[list[str], dict[str, str]]:
    """Parse one DAG file into the database. Other DAGs do not change.

    :param path: the file, inside the folder of a DAG bundle
    :param bundle: the bundle's name; "" for the one whose folder contains the file
    :returns: the IDs of its DAGs; import errors by file
    :raises LookupError: if no bundle contains the file
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    # Otherwise, a DAG that was written a moment ago would not be updated.
    os.environ["AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL"] = "0"
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for dag_bundle in [manager.get_bundle(bundle)] if bundle else manager.get_all_dag_bundles():
        dag_bundle.initialize()
        root = Path(dag_bundle.path).resolve()
        if root in Path(path).resolve().parents:
            bag = airflow3_bags.parse(Path(path), dag_bundle.path, dag_bundle.name)
            airflow3_bags.sync(bag, dag_bundle.name, dag_bundle.get_current_version())
            return sorted(bag.dags), dict(bag.import_errors)
    raise LookupError(f"no DAG bundle of this Airflow contains {path}")


def examine_file(path: Path, root: Path, real: Path, bundle: str) -> tuple[dict[str, str], dict[str, str]]:
    """Parse one DAG file without any change to the database.

    :param path: the file, below ``root``
    :param root: a copy of the folder of the DAG bundle
    :param real: the folder of the DAG bundle
    :param bundle: the bundle's name
    :returns: the IDs of its DAGs, each with the hash of its future serialization; import errors by file
    """
    from airflow.models.serialized_dag import SerializedDagModel

    bag = airflow3_bags.parse(path, root, bundle)
    hashes, errors = {}, dict(bag.import_errors)
    for dag_id, dag in bag.dags.items():
        try:
            hashes[dag_id] = SerializedDagModel.hash(airflow3_bags.serialize(dag))
        except Exception as error:  # noqa: BLE001 - a DAG may hold anything
            errors[str(path)] = f"{type(error).__name__}: {error}"
    return hashes, errors


def known_dags(dag_ids: list[str]) -> dict[str, DagRecord]:
    """Return the records of DAGs in Airflow's database, by DAG ID.

    :param dag_ids: unknown ones are left out of the result
    """
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.file import correct_maybe_zipped
    from airflow.utils.session import create_session
    from sqlalchemy import select

    records = {}
    with create_session() as session:
        for dag in session.scalars(select(DagModel).where(DagModel.dag_id.in_(dag_ids))):
            serialized = session.scalar(SerializedDagModel.latest_item_select_object(dag.dag_id))
            written = (None, None) if serialized is None else (serialized.dag_hash, serialized.last_updated)
            path = dag.fileloc or ""
            package = str(correct_maybe_zipped(path) or "")
            rest = (dag.bundle_name, not dag.is_stale, dag.last_parsed_time, *written)
            records[dag.dag_id] = DagRecord(path, package, *rest)
    return records


def known_dag(dag_id: str) -> DagRecord:
    """Return the record of a DAG in Airflow's database.

    :param dag_id: the DAG
    :raises airflow.exceptions.DagNotFound: if the database has no such DAG
    """
    return require_record(dag_id, known_dags([dag_id]))


def import_error(path: Path, root: Path, bundle: str, since: datetime) -> str:
    """Return the import error that Airflow has recorded for a file since a time; "" if there is none.

    :param path: the file
    :param root: the folder of its DAG bundle
    :param bundle: the bundle's name
    :param since: the time
    """
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        errors = select(ParseImportError.filename, ParseImportError.stacktrace)
        in_bundle = ParseImportError.bundle_name == bundle
        rows = session.execute(errors.where(in_bundle, ParseImportError.timestamp > since)).all()
    relative = str(path.relative_to(root))
    # For a ZIP package, Airflow records the absolute path.
    texts = [text for name, text in rows if name == relative or name.startswith((f"{relative}/", f"{path}/"))]
    return texts[0] if texts else ""


def parser_runs() -> bool:
    """Return whether the DAG processor runs."""
    from airflow.jobs.job import most_recent_job

    job = most_recent_job("DagProcessorJob")
    return job is not None and bool(job.is_alive())


def plugin_members(middleware: type | None, href: str) -> dict[str, list[object]]:
    """Return the members of an Airflow 3 plugin.

    :param middleware: the class that wraps the API server's ASGI application; None if it is wrapped elsewhere
    :param href: the target of the link in the Admin menu
    """
    entry: dict[str, object] = {"middleware": middleware, "args": [], "kwargs": {}, "name": "airflow-remote"}
    wrapping: dict[str, list[object]] = {"fastapi_root_middlewares": [] if middleware is None else [entry]}
    if installed_release() < (3, 1):
        return {**wrapping, **_menu_item(href)}
    link = {"name": "REST API", "href": href, "destination": "nav", "category": "admin"}
    return {**wrapping, "external_views": [link]}


def _menu_item(href: str) -> dict[str, list[object]]:
    """Return the member that adds a link to the Plugins menu of Airflow 3.0, which has no external views.

    Airflow 3.0 shows ``appbuilder_menu_items`` of plugins, but takes them as a sign of an Airflow 2 plugin.
    It then builds the whole Flask application, or refuses to start without the FAB provider
    (``airflow.api_fastapi.core_api.app.init_flask_plugins``). So this item is removed from the list that
    decides about that. If the function that fills the list is missing, there is no link.

    :param href: the target of the link
    """
    from airflow import plugins_manager

    original: Callable[[], None] | None = getattr(plugins_manager, "initialize_flask_plugins", None)
    if original is None:
        return {}
    item = {"name": "REST API", "href": href}

    def initialize() -> None:
        original()
        links = plugins_manager.flask_appbuilder_menu_links
        links[:] = [link for link in links if link is not item]

    plugins_manager.initialize_flask_plugins = initialize
    return {"appbuilder_menu_items": [item]}
