"""Runs in Airflow's database, with tasks in states that a scheduler would give them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from remote import Remote

DAGS = """# airflow DAG
try:
    from airflow.sdk import DAG
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow import DAG
    from airflow.operators.python import PythonOperator

for name in ("reading_etl", "reading_other"):
    with DAG(name, schedule=None, is_paused_upon_creation=False) as dag:
        extract = PythonOperator(task_id="extract", python_callable=print)
        extract >> PythonOperator(task_id="load", python_callable=print)
        PythonOperator.partial(task_id="spread", python_callable=print).expand(op_args=[[1], [2], [3]])
    globals()[name] = dag
"""
ETL = "reading_etl"


@pytest.fixture(scope="session")
def known_dags(database: None) -> None:
    """Put DAGs into Airflow's database."""
    import subprocess
    import sys
    import warnings

    from airflow import settings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own, at the first import
        import airflow.models.taskinstance  # noqa: F401

    (Path(settings.DAGS_FOLDER) / "reading.py").write_text(DAGS)
    subprocess.run([sys.executable, "-m", "airflow", "dags", "reserialize"], check=True, capture_output=True)


class Runs:
    """Runs of ``ETL``.

    :param trigger: triggers a run and returns its ID
    """

    def __init__(self, trigger: Callable[..., str]) -> None:
        self.trigger = trigger

    def set_run(self, run_id: str, state: str) -> None:
        """Set the state of a run."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session

        with create_session() as session:
            run = session.query(DagRun).filter(DagRun.run_id == run_id).one()
            now = datetime.now(timezone.utc)
            run.state, run.start_date = state, now - timedelta(minutes=1)
            run.end_date = now if state in ("success", "failed") else None

    def set_task(self, run_id: str, task_id: str, state: str | None, tries: int = 1, index: int = -1) -> Any:
        """Set the state of a task instance and the number of its tries; return its row."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        with create_session() as session:
            row = (
                session.query(TaskInstance)
                .filter_by(dag_id=ETL, run_id=run_id, task_id=task_id, map_index=index)
                .one()
            )
            now = datetime.now(timezone.utc)
            row.state, row.try_number = state, tries
            row.start_date = now - timedelta(seconds=30) if tries else None
            row.end_date = now - timedelta(seconds=10) if state in ("success", "failed") else None
            session.flush()
            session.expunge(row)
        return row

    def log_path(self, run_id: str, task_id: str, number: int = 1) -> Path:
        """Return the path of a log in Airflow's log folder."""
        from airflow.configuration import conf

        folder = Path(conf.get("logging", "base_log_folder"), f"dag_id={ETL}", f"run_id={run_id}")
        return folder / f"task_id={task_id}" / f"attempt={number}.log"

    def write_log(self, run_id: str, task_id: str, *lines: str, number: int = 1, more: str = "") -> Path:
        """Append lines to a log, as this Airflow writes them; ``more`` is an incomplete line after them."""
        from airflow_remote_server.integrations.release import installed_release

        path = self.log_path(run_id, task_id, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            for line in lines:
                if installed_release() < (3, 0):
                    file.write(f"[2026-01-02T03:04:05.678+0000] {{x.py:1}} INFO - {line}\n")
                else:
                    fields = {"timestamp": "2026-01-02T03:04:05Z", "level": "info", "event": line}
                    file.write(json.dumps(fields) + "\n")
            file.write(more)
        return path


@pytest.fixture
def runs(remote: Remote, known_dags: None) -> Iterator[Runs]:
    """Return runs of a DAG; they are deleted afterwards."""
    made: list[str] = []

    def trigger(run_id: str, **more: Any) -> str:
        response = remote("trigger_dag", "POST", json={"dag_id": ETL, "run_id": run_id, **more})
        assert response.status_code == 200, response.text
        made.append(run_id)
        return run_id

    yield Runs(trigger)
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        for table in (TaskInstance, DagRun):
            session.query(table).filter(table.run_id.in_(made)).delete(synchronize_session=False)
