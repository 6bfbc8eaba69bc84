"""Print a greeting for the name that came with the run.

    airflow-remote trigger_dag hello_remote --conf '{"name": "you"}'

The run's configuration replaces the parameter of the same name, so the task prints ``Hello, you!``.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import dag, task  # Airflow 3
except ImportError:
    from airflow.decorators import dag, task  # Airflow 2


@dag(
    dag_id="hello_remote",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"name": "world"},
    tags=["example", "airflow-remote"],
    doc_md=__doc__,
)
def hello_remote() -> None:
    """Greet whoever the run's configuration names."""

    @task
    def hello(name: str) -> None:
        print(f"Hello, {name}!")

    # A template, not a value: `tasks render` shows whom a run would greet.
    hello("{{ params.name }}")


hello_remote()
