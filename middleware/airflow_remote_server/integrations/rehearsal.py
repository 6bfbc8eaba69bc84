"""What commands do again and again, done once before any fork: Airflow's private names for that.

The first time that a process does a thing, it is slow: SQLAlchemy compiles a statement and finds out how to
load a model's columns, rich and argparse compile regular expressions, Airflow makes tables of what can be in
a serialized DAG. The process keeps all of that, and so do its forks. So the warm host does the usual things
itself, without a DAG file, a policy or anything else of a user's, and with a database that is none:
statements are compiled for the real one, and lead nowhere. What cannot be rehearsed costs a command its time,
no more.
"""

from __future__ import annotations

import contextlib
import io
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUTPUTS = ("json", "yaml", "table", "plain")
DAG_ID = "rehearsal_of_airflow_remote"


def rehearse() -> None:
    """Do the usual things once. Dialects must know their server already: connect before."""
    with no_database():
        for act in (
            print_results,
            parse_arguments,
            log_action,
            list_stores,
            read_dags,
            read_serialized_dags,
            change_dag,
            find_run,
            make_run,
            make_task_instances,
            find_task_instances,
        ):
            rehearse_one(act)


def rehearse_one(act: Callable[[Any], object]) -> None:
    """Do one thing, as far as it goes: most of them end at the first answer that does not come."""
    from airflow import settings

    session = settings.Session()
    with contextlib.suppress(Exception):
        act(session)
    with contextlib.suppress(Exception):
        session.rollback()
    settings.Session.remove()


@contextlib.contextmanager
def no_database() -> Iterator[None]:
    """Let Airflow's engine connect to nothing: its statements are compiled, and never answered."""
    from airflow import settings
    from sqlalchemy.pool import NullPool

    engine = settings.engine
    pool, engine.pool = engine.pool, NullPool(Nothing, dialect=engine.dialect)
    try:
        yield
    finally:
        engine.pool = pool


class Nothing:
    """A connection, and a cursor, of PEP 249 to no database: takes every statement, and has no rows."""

    description = None
    rowcount = 1
    lastrowid = 1
    arraysize = 1

    def cursor(self, *_: object, **__: object) -> Nothing:
        """A cursor."""
        return self

    def execute(self, *_: object, **__: object) -> None:
        """Do nothing; so do the others."""

    executemany = commit = rollback = close = execute


def print_results(_: Any) -> None:
    """Print in every form."""
    from airflow.cli.simple_table import AirflowConsole

    with contextlib.redirect_stdout(io.StringIO()) as file:
        for output in OUTPUTS:
            AirflowConsole(file=file).print_as(data=[{"key": "a value", "number": "1"}], output=output)


def parse_arguments(_: Any) -> None:
    """Take command lines apart."""
    from airflow.cli import cli_parser

    parser = cli_parser.get_parser()
    for argv in (
        ["variables", "list", "--output=json"],
        ["dags", "trigger", "--output=json", "--conf={}", "--", DAG_ID],
        ["dags", "state", "--", DAG_ID, "2024-01-01"],
    ):
        parser.parse_args(argv)


def log_action(_: Any) -> None:
    """Write the audit log, as nearly every command does first: with a DAG and without one."""
    import logging

    from airflow.utils import cli_action_loggers

    names = ("sub_command", "user", "task_id", "dag_id", "logical_date", "execution_date")
    silent = logging.getLogger(cli_action_loggers.__name__)
    before, silent.disabled = silent.disabled, True
    try:
        for said in ({}, {"dag_id": DAG_ID}, {"dag_id": DAG_ID, "execution_date": now()}):
            row = {**dict.fromkeys(names), "user": "nobody", **said}
            cli_action_loggers.default_action_log(**row, host_name="", full_command="")
    finally:
        silent.disabled = before


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
    """Find a DAG, and what belongs to it."""
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
        lambda: detached(session, DagModel(dag_id=DAG_ID)).tags,
    )
    for read in reads:
        with contextlib.suppress(Exception):
            read()


def detached(session: Any, found: Any) -> Any:
    """An object of a session, as if it had come out of the database."""
    from sqlalchemy import orm

    orm.make_transient_to_detached(found)
    session.add(found)
    return found


def read_serialized_dags(session: Any) -> None:
    """Find what DAGs were made to."""
    from airflow.models.serialized_dag import SerializedDagModel

    reads: tuple[Callable[[], object], ...] = (
        lambda: SerializedDagModel.get(DAG_ID, session=session),
        lambda: SerializedDagModel.read_all_dags(session=session),
        lambda: latest_version(session),
    )
    for read in reads:
        with contextlib.suppress(Exception):
            read()


def latest_version(session: Any) -> None:
    """Find the version of a DAG, which Airflow 3 has."""
    from airflow.models.dag_version import DagVersion

    DagVersion.get_latest_version(DAG_ID, session=session)


def change_dag(session: Any) -> None:
    """Pause a DAG."""
    from airflow.models import DagModel

    for is_paused in (True, False):
        dag = DagModel(dag_id=DAG_ID)
        with contextlib.suppress(Exception):
            if is_two():
                dag.set_is_paused(is_paused=is_paused, session=session)
            else:
                detached(session, dag).is_paused = is_paused
                session.flush()
        session.rollback()


def find_run(session: Any) -> None:
    """Find a run by its date or id, as `dags state` does, and by both, as `dags trigger` does."""
    from airflow.models import DagRun
    from sqlalchemy import select

    if is_two():
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
    date = {"execution_date": now()} if is_two() else {}
    DagRun.find_duplicate(dag_id=DAG_ID, run_id=DAG_ID, session=session, **date)


def make_run(session: Any) -> None:
    """Make a run of a DAG."""
    from airflow.models import DagRun
    from airflow.models.tasklog import LogTemplate
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType
    from sqlalchemy import func, select

    with contextlib.suppress(Exception):
        session.scalar(select(func.max(LogTemplate.__table__.c.id)))
    said: dict[str, Any] = {"run_type": DagRunType.MANUAL, "state": DagRunState.QUEUED, "conf": {}}
    if is_two():
        said |= {"execution_date": now(), "data_interval": (now(), now()), "external_trigger": True}
    else:
        from airflow.utils.types import DagRunTriggeredByType

        said |= {"run_after": now(), "triggered_by": DagRunTriggeredByType.CLI}
    run = DagRun(dag_id=DAG_ID, run_id=DAG_ID, **said)
    run.log_template_id = 1
    session.add(run)
    session.flush()


def make_task_instances(session: Any) -> None:
    """Make the task instances of a run."""
    from airflow.models import DagRun, TaskInstance

    [task] = deserialized_dag().tasks
    more = {} if is_two() else {"dag_version_id": uuid.uuid4(), "dag_run": DagRun(dag_id=DAG_ID)}
    row = TaskInstance.insert_mapping(DAG_ID, task, -1, **more)
    session.bulk_insert_mappings(TaskInstance, [row])


def find_task_instances(session: Any) -> None:
    """Look for the task instances of a run."""
    from airflow.models import DagRun

    DagRun.fetch_task_instances(dag_id=DAG_ID, run_id=DAG_ID, session=session)


def deserialized_dag() -> Any:
    """A DAG of one task, as it comes out of the database."""
    if is_two():
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


def is_two() -> bool:
    """Whether this is Airflow 2."""
    from airflow import __version__

    return str(__version__).startswith("2.")


def now() -> datetime:
    """A time that the database takes."""
    return datetime.now(timezone.utc)
