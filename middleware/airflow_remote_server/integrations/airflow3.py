"""Airflow 3: every name of its private parts that this project uses."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import IntegrityError

    try:
        with create_session() as session:
            row = session.execute(
                select(DagModel.bundle_name, DagModel.relative_fileloc).where(DagModel.dag_id == dag_id)
            ).one_or_none()
            if row is None:
                raise DagNotFound(f"DAG {dag_id!r} is not in Airflow's database")
            bundle, file = row
            session.add(DagPriorityParsingRequest(bundle_name=bundle, relative_fileloc=file))
    except IntegrityError:
        return f"Parsing of {file} of bundle {bundle} was asked for already"
    return f"Parsing of {file} of bundle {bundle} is asked for"


def parse_file(path: str) -> tuple[list[str], dict[str, str]]:
    """Parse one DAG file into the database; other DAGs stay as they are.

    :param path: the file, inside the folder of a DAG bundle
    :returns: its DAG ids; import errors by file
    :raises LookupError: when no bundle has the file
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        root = Path(bundle.path).resolve()
        if root in Path(path).parents:
            bag = BundleDagBag(path, bundle_path=bundle.path, bundle_name=bundle.name)
            sync_bag_to_db(bag, bundle.name, bundle_version=bundle.get_current_version())
            return sorted(bag.dags), dict(bag.import_errors)
    raise LookupError(f"no DAG bundle of this Airflow has {path}")


def plugin_members(wraps: bool, href: str) -> dict[str, list[object]]:
    """The members of an Airflow 3 plugin.

    :param wraps: whether it wraps the API server
    :param href: the page, for the link in the Admin menu
    """
    from airflow_remote_server.asgi import RestApiAsgiMiddleware

    link = {"name": "REST API", "href": href, "destination": "nav", "category": "admin"}
    middleware = {"middleware": RestApiAsgiMiddleware, "args": [], "kwargs": {}, "name": "airflow-remote"}
    return {"external_views": [link], "fastapi_root_middlewares": [middleware] if wraps else []}
