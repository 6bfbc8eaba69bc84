"""Copy this file to Airflow's plugins folder to serve the REST API; see the README of airflow-remote."""

from __future__ import annotations

import logging

try:
    from airflow_remote_server.plugin import RestApiPlugin  # noqa: F401 - Airflow finds it here
except ModuleNotFoundError as error:
    if error.name != "airflow_remote_server":
        raise
    logging.getLogger(__name__).error(
        "The REST API is off: run `pip install 'airflow-remote[server]'` in Airflow's environment"
    )
