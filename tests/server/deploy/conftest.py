"""Fixtures to deploy DAG files over the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagfiles import files, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from remote import Remote


@pytest.fixture
def deploy(remote: Remote) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Return a function that deploys a file with the shared fork server."""
    return lambda *args, **fields: upload(remote, *args, **fields)


@pytest.fixture
def ask(remote: Remote) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Return a function that calls another endpoint, and returns status and envelope."""

    def call(endpoint: str, filename: str, **fields: str) -> tuple[int, dict[str, Any]]:
        response = remote(endpoint, "POST", json={"filename": filename, **fields})
        return response.status_code, response.json

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the DAGs folder."""
    return tmp_path / "dags"


@pytest.fixture
def refuse(make_remote: Any, state: Path, folder: Path) -> Iterator[Any]:
    """Return a function that uploads a file which is rejected before anything runs."""
    before = files(folder)
    yield lambda *args, **fields: upload(make_remote(), *args, **fields)
    assert files(folder) == before
    assert list((state / "jobs").glob("*")) == []


@pytest.fixture
def home_remote(make_remote: Any, remote: Remote, home: Path) -> Iterator[Remote]:
    """Return a caller of an API for the DAGs folder that Airflow itself uses."""
    before = {*(home / "dags").iterdir()}
    yield make_remote(state_dir=remote.settings.state_dir, dags_folder=home / "dags")
    for path in {*(home / "dags").glob("*.py")} - before:
        path.unlink()
