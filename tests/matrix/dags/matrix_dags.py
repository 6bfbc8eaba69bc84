"""DAGs for the tests of a release: one with a schedule, and one with a slow task."""

from __future__ import annotations

import time
from datetime import datetime, timezone

try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


@dag(dag_id="matrix_daily", schedule="@daily", start_date=START, catchup=False, is_paused_upon_creation=True)
def daily() -> None:
    """Run daily; the DAG is paused when it is created."""

    @task
    def hello() -> None:
        print("hello from the matrix")

    hello()


@dag(dag_id="matrix_slow", schedule=None, start_date=START, catchup=False)
def slow() -> None:
    """Take longer than any test."""

    @task
    def sleep() -> None:
        time.sleep(300)

    sleep()


daily()
slow()
