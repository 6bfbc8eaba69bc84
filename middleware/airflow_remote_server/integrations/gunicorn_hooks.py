"""The parts of Airflow's own gunicorn configuration that ours keeps."""

from __future__ import annotations

from typing import Any

UVICORN_WORKER = "airflow.api_fastapi.gunicorn_app.AirflowUvicornWorker"
"""The worker class of Airflow 3 (``airflow.api_fastapi.gunicorn_app``)."""


def on_starting(server: Any) -> None:
    """Call the hook of Airflow 2 for the start of the master (``airflow.www.gunicorn_config``).

    :param server: gunicorn's arbiter
    """
    from airflow.www import gunicorn_config

    gunicorn_config.on_starting(server)


def post_worker_init(worker: Any) -> None:
    """Call the hook of Airflow 2 for a new worker (``airflow.www.gunicorn_config``).

    :param worker: gunicorn's worker
    """
    from airflow.www import gunicorn_config

    gunicorn_config.post_worker_init(worker)
