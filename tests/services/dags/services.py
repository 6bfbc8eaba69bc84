"""DAGs whose tasks run on the executors and the triggerer of the tests."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

try:
    from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
    from airflow.sdk import BaseOperator, dag, task  # Airflow 3
except ImportError:
    from airflow.decorators import dag, task  # Airflow 2
    from airflow.models.baseoperator import BaseOperator
    from airflow.triggers.temporal import TimeDeltaTrigger

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def wait_for_file(path: str) -> None:
    """Wait until a file exists."""
    while not Path(path).exists():
        time.sleep(0.2)


class Defer(BaseOperator):  # type: ignore[misc]
    """Wait in the triggerer."""

    def execute(self, context: Any) -> None:
        """Leave the executor."""
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=1)), method_name="resume")

    def resume(self, context: Any, event: Any) -> str:
        """Come back."""
        return "resumed"


@dag(dag_id="services_short", schedule=None, start_date=START, catchup=False)
def short() -> None:
    """Use the scheduler, the executor and the triggerer."""

    @task
    def greet() -> None:
        """Write a line to the log."""
        print("greetings from the executor")

    greet() >> Defer(task_id="defer")


@dag(dag_id="services_local", schedule=None, start_date=START, catchup=False)
def local() -> None:
    """Take some time in the local executor."""

    @task
    def work(dag_run: Any = None) -> None:
        """Work until the test lets the run finish."""
        wait_for_file(dag_run.conf["file"])

    work()


@dag(dag_id="services_celery", schedule=None, start_date=START, catchup=False)
def celery() -> None:
    """Take some time in a Celery worker."""

    @task(executor="CeleryExecutor", queue="tests")
    def work(dag_run: Any = None) -> None:
        """Work until the test lets the run finish."""
        wait_for_file(dag_run.conf["file"])

    work()


short()
local()
celery()
