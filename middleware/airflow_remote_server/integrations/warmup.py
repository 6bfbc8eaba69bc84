"""Run typical operations of commands once before any fork, with Airflow's private names for them.

Many operations are slow the first time that a process does them: SQLAlchemy compiles a statement and
prepares to load a model's columns, rich and argparse compile regular expressions, Airflow builds tables for
the serialization of DAGs. The process keeps the results, and its forks share them. So the fork server runs
these operations itself, without DAG files, policies or other user code, and with a connection that leads to
no database: statements are compiled for the real one and never sent. An operation that fails here only
costs commands time.
"""

from __future__ import annotations

import contextlib
import io
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUTPUT_FORMATS = ("json", "yaml", "table", "plain")
DAG_ID = "warmup_of_airflow_remote"


def warm_up_commands() -> None:
    """Run all operations once. Connect first, since SQLAlchemy's dialects must know their server."""
    with no_database():
        for operation in (
            print_results,
            parse_arguments,
            log_action,
            list_stores,
            read_dags,
            read_serialized_dags,
            change_dag,
            find_run,
            create_run,
            create_task_instances,
            find_task_instances,
        ):
            run_operation(operation)


def run_operation(operation: Callable[[Any], object]) -> None:
    """Run one operation until it fails; most fail at the first query, which returns no rows."""
    from airflow import settings

    session = settings.Session()
    with contextlib.suppress(Exception):
        operation(session)
    with contextlib.suppress(Exception):
        session.rollback()
    settings.Session.remove()


@contextlib.contextmanager
def no_database() -> Iterator[None]:
    """Connect Airflow's engine to no database: statements are compiled, and return no rows."""
    from airflow import settings
    from sqlalchemy.pool import NullPool

    engine = settings.engine
    pool, engine.pool = engine.pool, NullPool(NoConnection, dialect=engine.dialect)
    try:
        yield
    finally:
        engine.pool = pool


class NoConnection:
    """A PEP 249 connection and cursor to no database, which accepts every statement and returns no rows."""

    description = None
    rowcount = 1
    lastrowid = 1
    arraysize = 1

    def cursor(self, *_: object, **__: object) -> NoConnection:
        """Return a cursor."""
        return self

    def execute(self, *_: object, **__: object) -> None:
        """Do nothing, like the other methods."""

    executemany = commit = rollback = close = execute


def print_results(_: Any) -> None:
    """Print in every output format."""
    from airflow.cli.simple_table import AirflowConsole

    with contextlib.redirect_stdout(io.StringIO()) as file:
        for output in OUTPUT_FORMATS:
            AirflowConsole(file=file).print_as(data=[{"key": "a value", "number": "1"}], output=output)


def parse_arguments(_: Any) -> None:
    """Parse command lines."""
    from airflow.cli import cli_parser

    parser = cli_parser.get_parser()
    for argv in (
        ["variables", "list", "--output=json"],
        ["dags", "trigger", "--output=json", "--conf={}", "--", DAG_ID],
        ["dags", "state", "--", DAG_ID, "2024-01-01"],
    ):
        parser.parse_args(argv)


def log_action(_: Any) -> None:
    """Write the audit log, with and without a DAG. Nearly every command begins with this."""
    import logging

    from airflow.utils import cli_action_loggers

    names = ("sub_command", "user", "task_id", "dag_id", "logical_date", "execution_date")
    logger = logging.getLogger(cli_action_loggers.__name__)
    was_disabled, logger.disabled = logger.disabled, True
    try:
        for extra in ({}, {"dag_id": DAG_ID}, {"dag_id": DAG_ID, "execution_date": now()}):
            row = {**dict.fromkeys(names), "user": "nobody", **extra}
            cli_action_loggers.default_action_log(**row, host_name="", full_command="")
    finally:
        logger.disabled = was_disabled


def list_stores(session: Any) -> None:
    """Read variables, pools and connections."""
    from airflow.models import Connection, Pool, Variable
    from sqlalchemy import select

    for statement in (
        select(Variable),
        select(Variable.key).distinct(),
        select(Connection),
        select(Pool),
        select(Variable).where(Variable.key == DAG_ID),
        select(Connection).where(Connection.conn_id == DAG_ID),
        select(Pool).where(Pool.pool == DAG_ID),
    ):
        with contextlib.suppress(Exception):
            session.scalars(statement).all()
            session.rollback()


def read_dags(session: Any) -> None:
    """Read a DAG and related rows."""
    from airflow.models import DagModel
    from airflow.models.errors import ParseImportError
    from sqlalchemy import func, select

    one = select(DagModel).where(DagModel.dag_id == DAG_ID)
    reads: tuple[Callable[[], object], ...] = (
        lambda: DagModel.get_current(DAG_ID, session=session),
        lambda: DagModel.get_dagmodel(DAG_ID, session=session),
        lambda: session.scalars(one.where(DagModel.is_paused != True)).all(),  # noqa: E712 - SQL's
        lambda: session.scalars(one.where(DagModel.is_paused != False)).all(),  # noqa: E712
        lambda: session.scalar(select(DagModel.bundle_version).where(DagModel.dag_id == DAG_ID)),
        lambda: session.scalar(select(func.count()).select_from(ParseImportError)),
        lambda: add_as_loaded(session, DagModel(dag_id=DAG_ID)).tags,
    )
    for read in reads:
        with contextlib.suppress(Exception):
            read()


def add_as_loaded(session: Any, instance: Any) -> Any:
    """Add an object to a session as if it had been loaded from the database."""
    from sqlalchemy import orm

    orm.make_transient_to_detached(instance)
    session.add(instance)
    return instance


def read_serialized_dags(session: Any) -> None:
    """Read serialized DAGs."""
    from airflow.models.serialized_dag import SerializedDagModel

    reads: tuple[Callable[[], object], ...] = (
        lambda: SerializedDagModel.get(DAG_ID, session=session),
        lambda: SerializedDagModel.read_all_dags(session=session),
        lambda: read_latest_version(session),
    )
    for read in reads:
        with contextlib.suppress(Exception):
            read()


def read_latest_version(session: Any) -> None:
    """Read the version of a DAG (Airflow 3)."""
    from airflow.models.dag_version import DagVersion

    DagVersion.get_latest_version(DAG_ID, session=session)


def change_dag(session: Any) -> None:
    """Pause and unpause a DAG."""
    from airflow.models import DagModel

    for is_paused in (True, False):
        dag = DagModel(dag_id=DAG_ID)
        with contextlib.suppress(Exception):
            if is_airflow_2():
                dag.set_is_paused(is_paused=is_paused, session=session)
            else:
                add_as_loaded(session, dag).is_paused = is_paused
                session.flush()
        session.rollback()


def find_run(session: Any) -> None:
    """Find a run by its date or ID, as `dags state` does, and by both, as `dags trigger` does."""
    from airflow.models import DagRun
    from sqlalchemy import select

    if is_airflow_2():
        statements = [select(DagRun).filter_by(dag_id=DAG_ID, execution_date=now())]
    else:
        by_date = select(DagRun).where(DagRun.dag_id == DAG_ID, DagRun.logical_date == now())
        statements = [
            select(DagRun).where(DagRun.dag_id == DAG_ID, DagRun.run_id == DAG_ID),
            by_date.order_by(DagRun.id.desc()).limit(1),
        ]
    for statement in statements:
        with contextlib.suppress(Exception):
            session.scalar(statement)
    date = {"execution_date": now()} if is_airflow_2() else {}
    DagRun.find_duplicate(dag_id=DAG_ID, run_id=DAG_ID, session=session, **date)


def create_run(session: Any) -> None:
    """Create a DAG run."""
    from airflow.models import DagRun
    from airflow.models.tasklog import LogTemplate
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType
    from sqlalchemy import func, select

    with contextlib.suppress(Exception):
        session.scalar(select(func.max(LogTemplate.__table__.c.id)))
    values: dict[str, Any] = {"run_type": DagRunType.MANUAL, "state": DagRunState.QUEUED, "conf": {}}
    if is_airflow_2():
        values |= {"execution_date": now(), "data_interval": (now(), now()), "external_trigger": True}
    else:
        from airflow.utils.types import DagRunTriggeredByType

        values |= {"run_after": now(), "triggered_by": DagRunTriggeredByType.CLI}
    run = DagRun(dag_id=DAG_ID, run_id=DAG_ID, **values)
    run.log_template_id = 1
    session.add(run)
    session.flush()


def create_task_instances(session: Any) -> None:
    """Create the task instances of a run."""
    from airflow.models import DagRun, TaskInstance

    [task] = load_dag().tasks
    more = {} if is_airflow_2() else {"dag_version_id": uuid.uuid4(), "dag_run": DagRun(dag_id=DAG_ID)}
    row = TaskInstance.insert_mapping(DAG_ID, task, -1, **more)
    session.bulk_insert_mappings(TaskInstance, [row])


def find_task_instances(session: Any) -> None:
    """Find the task instances of a run."""
    from airflow.models import DagRun

    DagRun.fetch_task_instances(dag_id=DAG_ID, run_id=DAG_ID, session=session)


def load_dag() -> Any:
    """Return a DAG with one task, as it is loaded from the database."""
    if is_airflow_2():
        from airflow.models.dag import DAG
        from airflow.operators.empty import EmptyOperator
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    else:
        from airflow.providers.standard.operators.empty import EmptyOperator
        from airflow.sdk import DAG
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    dag = DAG(DAG_ID, schedule=None)
    EmptyOperator(task_id="task", dag=dag)
    return Serialization.from_dict(Serialization.to_dict(dag))


def is_airflow_2() -> bool:
    """Return whether this is Airflow 2."""
    from airflow import __version__

    return str(__version__).startswith("2.")


def now() -> datetime:
    """Return the current time with a time zone."""
    return datetime.now(timezone.utc)
