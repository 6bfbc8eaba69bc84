"""What keeps a DAG or a task from running, by Airflow's own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.base import call_guarded
from airflow_remote_server.integrations.release import installed_release

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_stale(dag: Any) -> bool:
    """Return whether the file of a DAG no longer has it.

    :param dag: its row
    """
    return not dag.is_active if installed_release() < (3, 0) else bool(dag.is_stale)


def scheduler_runs() -> bool:
    """Return whether a scheduler runs, by its heartbeat."""
    from airflow.jobs.job import most_recent_job

    job = most_recent_job("SchedulerJob")
    return job is not None and bool(job.is_alive())


def find_full_pools(session: Any) -> dict[str, str]:
    """Return the pools without an open slot, each with its use.

    :param session: from ``open_session``
    """
    from airflow.models.pool import Pool

    pools = Pool.slots_stats(session=session)
    return {
        name: f"{stats['running']} running and {stats['queued']} queued of {stats['total']} slots"
        for name, stats in pools.items()
        if stats["open"] is not None and stats["open"] <= 0
    }


def find_failed_dependencies(
    session: Any, dag_id: str, run_id: str, tasks: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], list[str]]:
    """Return why Airflow's scheduler does not queue tasks, as `tasks failed-deps` does.

    :param session: from ``open_session``
    :param dag_id: the DAG
    :param run_id: its run
    :param tasks: IDs and map indexes
    :returns: reasons by ID and map index; a task that cannot be examined is left out
    """
    found = call_guarded(lambda: _find_failed_dependencies(session, dag_id, run_id, tasks), None)
    return found or {}


def ignore(*_: Any, **__: Any) -> bool:
    """Return False, as a function of Airflow that changed nothing."""
    return False


def _find_failed_dependencies(
    session: Any, dag_id: str, run_id: str, tasks: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], list[str]]:
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.ti_deps.dep_context import DepContext
    from airflow.ti_deps.dependencies_deps import SCHEDULER_QUEUED_DEPS
    from sqlalchemy import select

    serialized = SerializedDagModel.get(dag_id, session=session)
    if serialized is None:
        return {}
    dag, reasons = serialized.dag, {}
    of_run = (TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    for task_id, map_index in tasks:
        is_task = (TaskInstance.task_id == task_id, TaskInstance.map_index == map_index)
        row = session.scalar(select(TaskInstance).where(*of_run, *is_task))
        if row is None or not dag.has_task(task_id):
            continue
        row.task = dag.get_task(task_id)
        row.set_state = ignore  # some dependencies set the state of the task instance
        context = DepContext(SCHEDULER_QUEUED_DEPS)
        failed = row.get_failed_dep_statuses(dep_context=context, session=session)
        reasons[task_id, map_index] = sorted({status.reason for status in failed})
    return reasons
