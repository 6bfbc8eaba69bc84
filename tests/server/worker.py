"""A web worker that asks for one command, as a program: STATE DEED MAJOR."""

from __future__ import annotations

import sys
from pathlib import Path

from remote import TOKEN, Remote
from werkzeug.test import Client

from airflow_remote_server.api import Api
from airflow_remote_server.settings import Settings


def main(state: Path, deed: str, major: str) -> None:
    """Ask, and end with the answer."""
    settings = Settings(
        token=TOKEN,
        airflow_major=int(major),
        dags_folder=state.parent,
        log_folder=state.parent,
        state_dir=state,
    )
    response = Remote(Client(Api(settings)), settings)("list_tasks", query_string={"dag_id": deed})
    assert response.status_code == 200, response.text


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
