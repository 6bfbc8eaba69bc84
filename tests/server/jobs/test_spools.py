from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.jobs.factory import make_jobs

if TYPE_CHECKING:
    from pathlib import Path


def test_unwritable_state_dir_is_reported(make_remote: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remote = make_remote(state_dir=tmp_path / "file" / "state")
    for path in ("version", "jobs", "jobs/x"):
        response = remote(path)
        assert (response.status_code, response.json["error"]["type"]) == (503, "Unavailable")
        assert "[rest_api_plugin] state_dir" in response.json["output"]


def test_state_dir_that_others_can_enter_is_rejected(make_remote: Any, state: Path) -> None:
    state.mkdir(mode=0o755)
    response = make_remote()("version")
    assert response.status_code == 503
    assert str(state) in response.json["output"]
    assert [*state.iterdir()] == []


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/jobs.db", "no url"])
def test_unusable_store_is_reported(make_remote: Any, state: Path, url: str) -> None:
    remote = make_remote(jobs_url=url)
    for path in ("version", "jobs", "jobs/x"):
        response = remote(path)
        assert response.status_code == 503
        assert "[rest_api_plugin] jobs_url" in response.json["output"]
    assert [*(state / "jobs").iterdir()] == [], "nothing was run"


def test_failed_process_start_is_reported(
    make_remote: Any, cold_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = make_remote()
    for program in ("/bin/false", "/no/such/python"):
        monkeypatch.setattr("sys.executable", program)
        response = remote("version")
        assert response.status_code == 503
        assert "cannot start a process now" in response.json["output"]
    assert [*(cold_state / "jobs").iterdir()] == remote.jobs() == [], "and no job is left of it"


def test_state_dir_has_one_node_id(make_settings: Any, state: Path) -> None:
    jobs = [make_jobs(make_settings()) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        [name] = set(pool.map(lambda each: each.spools.node, jobs))
    assert make_jobs(make_settings()).spools.node == name
    number, _, machine = name.partition("@")
    assert len(number) == 16
    assert machine
    assert [path.name for path in state.glob("node*")] == ["node"]
