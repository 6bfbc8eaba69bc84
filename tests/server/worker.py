"""Run one command as a web worker would: ``worker.py STATE_DIR PROBE MAJOR``."""

from __future__ import annotations

import sys
from pathlib import Path

from remote import TOKEN, Remote
from werkzeug.test import Client

from airflow_remote_server.config.settings import Settings
from airflow_remote_server.http.app import Api
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR


def main(state: Path, probe: str, major: str) -> None:
    """Run a probe command, and exit when its response has arrived.

    :param state: the state directory
    :param probe: the ID of the probe
    :param major: the major version of Airflow
    """
    settings = Settings(
        token=TOKEN,
        airflow_release=NEWEST_OF_MAJOR[int(major)],
        dags_folder=state.parent,
        log_folder=state.parent,
        state_dir=state,
    )
    response = Remote(Client(Api(settings)), settings)("list_tasks", query_string={"dag_id": probe})
    assert response.status_code == 200, response.text


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
