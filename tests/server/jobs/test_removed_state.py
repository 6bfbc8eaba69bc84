"""Parts of the state directory that are removed under a running server are created again."""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from airflow_remote_server.jobs import store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from remote import Remote


def remove(path: Path) -> None:
    """Remove a file or a directory."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.mark.slow
def test_removed_parts_are_created_again(
    make_remote: Callable[..., Remote], state: Path, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MISSING_SECONDS", 0.5)
    remotes = [make_remote() for _ in range(2)]
    for remote in remotes:
        assert remote("version").status_code == 200
    parts = {name: [state / name] for name in ("jobs", "supervisors", "host", "node", "watcher.lock")}
    parts |= {"database": [*state.glob("jobs.db*")], "state": [state]}
    for name, paths in parts.items():
        for path in paths:
            remove(path)
        for number, remote in enumerate(remotes):
            response = remote("version")
            assert response.status_code == 200, (name, number, response.text)
            job_id = response.json["job"]["id"]
            for other in remotes:
                assert other.job(job_id)["state"] == "succeeded", (name, number)
                assert other.output(job_id)["data"], (name, number)
        for path in (state, *(entry for entry in state.rglob("*") if entry.is_dir())):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700, (name, path)


@pytest.mark.slow
def test_job_whose_spool_is_removed_is_lost(
    make_remote: Callable[..., Remote], make_probe: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_remote_server.jobs import reconciler

    remote = make_remote()
    job_id = remote.begin(make_probe("wait"))  # type: ignore[arg-type]
    shutil.rmtree(remote.settings.state_dir / "jobs")
    monkeypatch.setattr(reconciler, "SUBMIT_SECONDS", 0.0)
    assert remote.job(job_id)["state"] == "lost"
    assert remote("version").status_code == 200
