"""Sample DAGs of the live tests, which are in the homes of the shared servers from the start."""

from __future__ import annotations

import time
from datetime import datetime, timezone

try:
    from airflow.sdk import dag, task  # Airflow 3
except ImportError:
    from airflow.decorators import dag, task  # Airflow 2

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


@dag(dag_id="live_daily", schedule="@daily", start_date=START, catchup=False)
def daily() -> None:
    """Run on a schedule, which a backfill needs."""

    @task
    def nothing() -> None:
        """Do nothing."""

    nothing()


@dag(dag_id="live_trouble", schedule=None, start_date=START, catchup=False)
def trouble() -> None:
    """Define tasks that misbehave."""

    @task
    def fails() -> None:
        """Fail, with an exception that would be a 404 if it were Airflow's own."""
        from airflow.exceptions import AirflowNotFoundException

        raise AirflowNotFoundException("the task's own failure")

    @task
    def asks() -> None:
        """Ask a question on a terminal that does not exist."""
        print(f"the answer is {input('the question: ')}")

    @task
    def sleeps() -> None:
        """Run longer than a test waits."""
        print("asleep", flush=True)
        time.sleep(60)

    fails()
    asks()
    sleeps()


daily()
trouble()
