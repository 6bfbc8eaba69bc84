"""Parse DAG files and write DAGs to the database on Airflow 3; the names differ between releases.

| release | DAG bag | writes to the database |
|---|---|---|
| 3.0 | ``airflow.models.dagbag.DagBag`` | its method ``sync_to_db`` |
| 3.1 | ``airflow.models.dagbag.BundleDagBag`` | ``airflow.models.dagbag.sync_bag_to_db`` |
| 3.2 | ``airflow.dag_processing.dagbag.BundleDagBag`` | ``airflow.dag_processing.dagbag.sync_bag_to_db`` |
"""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.release import installed_release

if TYPE_CHECKING:
    from pathlib import Path


def parse(path: Path, bundle_path: Path, bundle_name: str) -> Any:
    """Parse one DAG file.

    :param path: the file
    :param bundle_path: the folder of its DAG bundle
    :param bundle_name: the bundle's name; "" if there is none
    :returns: Airflow's DAG bag, with ``dags`` and ``import_errors``
    """
    _log_less()
    if installed_release() >= (3, 2):
        from airflow.dag_processing.dagbag import BundleDagBag

        return BundleDagBag(str(path), bundle_path=bundle_path, bundle_name=bundle_name or None)
    if installed_release() >= (3, 1):
        from airflow.models.dagbag import BundleDagBag

        return BundleDagBag(str(path), bundle_path=bundle_path)
    from airflow.models.dagbag import DagBag

    if str(bundle_path) not in sys.path:  # as BundleDagBag does in later releases
        sys.path.append(str(bundle_path))
    return DagBag(str(path), include_examples=False, bundle_path=bundle_path)


def sync(bag: Any, bundle_name: str, bundle_version: str | None) -> None:
    """Write the DAGs of a bag to Airflow's database.

    :param bag: from ``parse``
    :param bundle_name: the bundle of its file
    :param bundle_version: the version of the bundle
    """
    if installed_release() >= (3, 2):
        from airflow.dag_processing.dagbag import sync_bag_to_db
    elif installed_release() >= (3, 1):
        from airflow.models.dagbag import sync_bag_to_db
    else:
        bag.sync_to_db(bundle_name, bundle_version)
        return
    sync_bag_to_db(bag, bundle_name, bundle_version=bundle_version)


def serialize(dag: Any) -> Any:
    """Return the serialized form of a DAG that Airflow writes to the database.

    :param dag: a DAG from a bag
    """
    from airflow.serialization import serialized_objects

    if installed_release() >= (3, 1):
        return serialized_objects.LazyDeserializedDAG.from_dag(dag).data
    return serialized_objects.SerializedDAG.to_dict(dag)


def _log_less() -> None:
    """Do not log which file is parsed, since it is the one that the user named."""
    name = "airflow.dag_processing.dagbag" if installed_release() >= (3, 2) else "airflow.models.dagbag"
    logging.getLogger(name).setLevel(logging.WARNING)
    try:
        levels = importlib.import_module("airflow._shared.logging.structlog").PER_LOGGER_LEVELS
    except (ImportError, AttributeError):
        return  # Airflow 3.0 uses only the standard library's logging
    levels[name] = logging.WARNING
