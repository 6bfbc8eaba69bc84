"""Airflow 3: every name of its private parts that this project uses."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations import Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

PARSER = "DAG processor"
"""What parses DAG files, for people."""


def logs_to_stderr() -> None:
    """Send the log lines of this process to stderr (``airflow._shared.logging.structlog``).

    Called after Airflow was imported with sys.stdout swapped for stderr: the standard library's handlers
    have kept that one, and structlog's factory may have been made before.
    """
    import structlog

    factory = structlog.get_config()["logger_factory"]
    if hasattr(factory, "io"):
        binary = "b" in getattr(factory.io, "mode", "") or isinstance(factory.io, type(sys.stderr.buffer))
        factory.io = sys.stderr.buffer if binary else sys.stderr
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.__stdout__:
            handler.setStream(sys.stderr)


def watch_tested_task() -> Callable[[], bool]:
    """Watch how a task that `tasks test` runs will end: the command exits with 0 also when it fails.

    :returns: whether the task failed, once the command has ended
    """
    from airflow.cli.commands import task_command

    original: Any = task_command._run_task
    failed = False

    def run_task(*, ti: Any, **more: Any) -> Any:
        nonlocal failed
        result = original(ti=ti, **more)
        failed = ti.state == "failed"
        return result

    task_command._run_task = run_task
    return lambda: failed


def request_parsing(dag_id: str) -> str:
    """Ask the DAG processor to parse a DAG's file before others.

    :param dag_id: a DAG that the database knows
    :raises airflow.exceptions.DagNotFound: when it does not
    """
    from airflow.exceptions import DagNotFound
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    row = known_dags([dag_id]).get(dag_id)
    if row is None:
        raise DagNotFound(f"DAG {dag_id!r} is not in Airflow's database")
    with create_session() as session:
        file = session.execute(
            select(DagModel.relative_fileloc).where(DagModel.dag_id == dag_id)
        ).scalar_one()
    file = file.removesuffix(row.path.removeprefix(row.package))  # a package is parsed as a whole
    asked = _request(row.bundle, file)
    return f"Parsing of {file} of bundle {row.bundle} {'is asked for' if asked else 'was asked for already'}"


def request_parsing_of(path: Path, root: Path, bundle: str) -> None:
    """Ask the DAG processor to parse a file before others.

    :param path: the file
    :param root: the folder of its DAG bundle
    :param bundle: the bundle's name
    """
    _request(bundle, str(path.relative_to(root)))


def _request(bundle: str, file: str) -> bool:
    """Ask for a file; False when that was done already, and it has not been parsed yet."""
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
    """Parse one DAG file into the database; other DAGs stay as they are.

    :param path: the file, inside the folder of a DAG bundle
    :param bundle: the bundle's name; "" for the one whose folder it is in
    :returns: its DAG ids; import errors by file
    :raises LookupError: when no bundle has the file
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    # Else what was written a moment ago stays, though the file is another one by now.
    os.environ["AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL"] = "0"
    say_less()
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for found in [manager.get_bundle(bundle)] if bundle else manager.get_all_dag_bundles():
        found.initialize()
        root = Path(found.path).resolve()
        if root in Path(path).resolve().parents:
            bag = BundleDagBag(path, bundle_path=found.path, bundle_name=found.name)
            sync_bag_to_db(bag, found.name, bundle_version=found.get_current_version())
            return sorted(bag.dags), dict(bag.import_errors)
    raise LookupError(f"no DAG bundle of this Airflow has {path}")


def examine_file(path: Path, root: Path, real: Path, bundle: str) -> tuple[dict[str, str], dict[str, str]]:
    """Parse one DAG file, and touch nothing.

    :param path: the file, below ``root``
    :param root: a folder that looks like that of the DAG bundle
    :param real: the folder of the DAG bundle
    :param bundle: the bundle's name
    :returns: DAG ids, each with the hash that its serialization will have; import errors by file
    """
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    say_less()
    bag = BundleDagBag(str(path), bundle_path=root, bundle_name=bundle or None)
    hashes, errors = {}, dict(bag.import_errors)
    for dag_id, dag in bag.dags.items():
        try:
            hashes[dag_id] = SerializedDagModel.hash(LazyDeserializedDAG.from_dag(dag).data)
        except Exception as error:  # whatever a DAG holds that cannot be serialized
            errors[str(path)] = f"{type(error).__name__}: {error}"
    return hashes, errors


def say_less() -> None:
    """Have this process not say which files it parses: there is one, and its user knows."""
    from airflow._shared.logging.structlog import PER_LOGGER_LEVELS

    PER_LOGGER_LEVELS["airflow.dag_processing.dagbag"] = logging.WARNING


def known_dags(dag_ids: list[str]) -> dict[str, Row]:
    """What the database has of some DAGs, by id.

    :param dag_ids: those that it does not know are left out
    """
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.file import correct_maybe_zipped
    from airflow.utils.session import create_session
    from sqlalchemy import select

    rows = {}
    with create_session() as session:
        for dag in session.scalars(select(DagModel).where(DagModel.dag_id.in_(dag_ids))):
            kept = session.scalar(SerializedDagModel.latest_item_select_object(dag.dag_id))
            written = (None, None) if kept is None else (kept.dag_hash, kept.last_updated)
            path = dag.fileloc or ""
            package = str(correct_maybe_zipped(path) or "")
            found = (dag.bundle_name, not dag.is_stale, dag.last_parsed_time, *written)
            rows[dag.dag_id] = Row(path, package, *found)
    return rows


def import_error(path: Path, root: Path, bundle: str, since: datetime) -> str:
    """The import error of a file that Airflow has noted since a time; "" when it has not.

    :param path: the file
    :param root: the folder of its DAG bundle
    :param bundle: the bundle's name
    :param since: the time
    """
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        noted = select(ParseImportError.filename, ParseImportError.stacktrace)
        here = ParseImportError.bundle_name == bundle
        found = session.execute(noted.where(here, ParseImportError.timestamp > since)).all()
    own = str(path.relative_to(root))
    # Of a package, Airflow notes the whole path.
    texts = [text for name, text in found if name == own or name.startswith((f"{own}/", f"{path}/"))]
    return texts[0] if texts else ""


def parser_runs() -> bool:
    """Whether what parses DAG files is running."""
    from airflow.jobs.job import most_recent_job

    job = most_recent_job("DagProcessorJob")
    return job is not None and bool(job.is_alive())


def plugin_members(wraps: bool, href: str) -> dict[str, list[object]]:
    """The members of an Airflow 3 plugin.

    :param wraps: whether it wraps the API server
    :param href: the page, for the link in the Admin menu
    """
    from airflow_remote_server.asgi import RestApiAsgiMiddleware

    link = {"name": "REST API", "href": href, "destination": "nav", "category": "admin"}
    middleware = {"middleware": RestApiAsgiMiddleware, "args": [], "kwargs": {}, "name": "airflow-remote"}
    return {"external_views": [link], "fastapi_root_middlewares": [middleware] if wraps else []}
