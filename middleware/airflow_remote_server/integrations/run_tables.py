"""Read DAG runs and their tasks from Airflow's database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_remote_server.errors import NotFound, Unavailable
from airflow_remote_server.integrations.release import installed_release
from airflow_remote_server.util.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MAX_TASKS = 10_000
"""The maximum number of task instances of a run that are read."""

MAX_SIMILAR = 1000
"""The maximum number of known IDs that an unknown one is compared with."""

TASK_COLUMNS = (
    "task_id",
    "map_index",
    "state",
    "try_number",
    "max_tries",
    "start_date",
    "end_date",
    "duration",
    "operator",
    "pool",
    "queue",
    "hostname",
)


class RunFilter(NamedTuple):
    """Which runs to list.

    :param dag_id: of this DAG; None for all
    :param state: in this state; None for any
    :param start: that started at this time or later
    :param end: that started before this time
    """

    dag_id: str | None = None
    state: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@contextmanager
def open_session() -> Iterator[Any]:
    """Open a session of Airflow's database that writes nothing.

    It is not the session of the thread, which Airflow's functions commit and close.

    :raises Unavailable: if the database cannot be read
    """
    from airflow import settings
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.exc import TimeoutError as NoConnection

    session = settings.Session.session_factory()
    try:
        yield session
    except (DBAPIError, NoConnection) as error:
        cause = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise Unavailable(f"Airflow's database cannot be read: {cause}") from error
    finally:
        session.rollback()
        session.close()


def find_runs(session: Any, wanted: RunFilter, limit: int, offset: int) -> tuple[list[Any], int]:
    """Return runs, the latest first, and how many there are without the limit.

    :param session: from ``open_session``
    :param wanted: which runs
    :param limit: the maximum number of runs
    :param offset: how many to skip
    """
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    began = func.coalesce(DagRun.start_date, DagRun.queued_at)
    conditions = []
    if wanted.dag_id is not None:
        conditions.append(DagRun.dag_id == wanted.dag_id)
    if wanted.state is not None:
        conditions.append(DagRun.state == wanted.state)
    if wanted.start is not None:
        conditions.append(began >= wanted.start)
    if wanted.end is not None:
        conditions.append(began < wanted.end)
    total = session.scalar(select(func.count()).select_from(DagRun).where(*conditions))
    runs = select(DagRun).where(*conditions).order_by(DagRun.id.desc()).limit(limit).offset(offset)
    return list(session.scalars(runs)), int(total or 0)


def find_run(session: Any, dag_id: str, run_id: str | None) -> Any:
    """Return a run.

    :param session: from ``open_session``
    :param dag_id: its DAG
    :param run_id: its ID; None for the latest run of the DAG
    :raises NotFound: if there is no such DAG or run; the message names a similar one
    """
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    if run_id is None:
        run = find_latest_run(session, dag_id)
    else:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    if run is not None:
        return run
    require_dag(session, dag_id)
    if run_id is None:
        raise NotFound(f"DAG {dag_id!r} has no run")
    latest = select(DagRun.run_id).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc())
    hint = did_you_mean(run_id, session.scalars(latest.limit(MAX_SIMILAR)))
    raise NotFound(f"DAG {dag_id!r} has no run {run_id[:250]!r}{hint}")


def find_latest_run(session: Any, dag_id: str) -> Any:
    """Return the latest run of a DAG; None if it has none.

    :param session: from ``open_session``
    :param dag_id: the DAG
    """
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    of_dag = select(DagRun).where(DagRun.dag_id == dag_id)
    return session.scalar(of_dag.order_by(DagRun.id.desc()).limit(1))


def require_dag(session: Any, dag_id: str) -> Any:
    """Return the row of a DAG.

    :param session: from ``open_session``
    :param dag_id: the DAG
    :raises NotFound: if there is no such DAG; the message names a similar one
    """
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    dag = session.get(DagModel, dag_id)
    if dag is None:
        hint = did_you_mean(dag_id, session.scalars(select(DagModel.dag_id).limit(MAX_SIMILAR)))
        raise NotFound(f"Airflow's database has no DAG {dag_id[:250]!r}{hint}")
    return dag


def find_tasks(session: Any, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """Return the task instances of a run, those that started first in front.

    :param session: from ``open_session``
    :param dag_id: the DAG
    :param run_id: the run
    :returns: by the names of ``TASK_COLUMNS``
    """
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    columns = [try_column() if name == "try_number" else getattr(TaskInstance, name) for name in TASK_COLUMNS]
    rows = session.execute(
        select(*columns)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .order_by(TaskInstance.start_date.is_(None), TaskInstance.start_date)
        .order_by(TaskInstance.task_id, TaskInstance.map_index)
        .limit(MAX_TASKS)
    )
    return [dict(zip(TASK_COLUMNS, row, strict=True)) for row in rows]


def try_column() -> Any:
    """Return the column with the number of a task instance's latest try; 0 before the first one.

    Until Airflow 2.9, the attribute ``try_number`` is one more while the task does not run.
    """
    from airflow.models.taskinstance import TaskInstance

    return TaskInstance._try_number if installed_release() < (2, 10) else TaskInstance.try_number  # noqa: SLF001


def find_import_errors(session: Any, dag: Any = None) -> list[Any]:
    """Return the rows of import errors, the latest first.

    :param session: from ``open_session``
    :param dag: the row of a DAG, to return those of its file only
    """
    from airflow.models import errors
    from sqlalchemy import and_, or_, select

    # Before Airflow 2.10, the model was named ImportError.
    table = getattr(errors, "ParseImportError", None) or errors.ImportError
    rows = select(table).order_by(table.timestamp.desc()).limit(MAX_SIMILAR)
    if dag is not None:
        of_file = table.filename == dag.fileloc
        if hasattr(table, "bundle_name"):
            in_bundle = (table.bundle_name == dag.bundle_name, table.filename == dag.relative_fileloc)
            of_file = or_(and_(*in_bundle), of_file)  # of a ZIP package, Airflow records the whole path
        rows = rows.where(of_file)
    return list(session.scalars(rows))


def read_source(session: Any, dag_id: str, path: str) -> str:
    """Return the source of a DAG as Airflow's database has it; "" if it has none.

    :param session: from ``open_session``
    :param dag_id: the DAG
    :param path: the path of its file
    """
    from airflow.models.dagcode import DagCode
    from sqlalchemy import select

    wanted = DagCode.dag_id == dag_id if hasattr(DagCode, "dag_id") else DagCode.fileloc == path
    latest = select(DagCode.source_code).where(wanted).order_by(DagCode.last_updated.desc()).limit(1)
    return str(session.scalar(latest) or "")
