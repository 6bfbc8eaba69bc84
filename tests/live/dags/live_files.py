"""A DAG whose task writes a file with a name that is no text."""

from __future__ import annotations

import os
from datetime import datetime, timezone

try:
    from airflow.sdk import dag, task  # Airflow 3
except ImportError:
    from airflow.decorators import dag, task  # Airflow 2


@dag(dag_id="live_files", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False)
def files() -> None:
    """Define the task."""

    @task
    def write() -> None:
        """Write the file in the working directory."""
        descriptor = os.open(b"bad\xff\nname", os.O_CREAT | os.O_WRONLY, 0o644)
        os.write(descriptor, b"content")
        os.close(descriptor)

    write()


files()
