"""Use of Airflow's DAG model that is the same on Airflow 2 and 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_remote_server.integrations.base import DagRecord


def require_record(dag_id: str, records: dict[str, DagRecord]) -> DagRecord:
    """Return the record of a DAG.

    :param dag_id: the DAG
    :param records: records from Airflow's database, by DAG id
    :raises airflow.exceptions.DagNotFound: if there is none
    """
    from airflow.exceptions import DagNotFound

    if dag_id not in records:
        raise DagNotFound(f"DAG {dag_id!r} is not in Airflow's database")
    return records[dag_id]


def set_paused(dag_ids: list[str], paused: bool) -> None:
    """Pause or unpause DAGs.

    :param dag_ids: DAGs in Airflow's database
    :param paused: whether to pause them
    """
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        for dag in session.query(DagModel).filter(DagModel.dag_id.in_(dag_ids)):
            dag.is_paused = paused
