from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_remote_server.runner.fingerprint import environment_digest, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """The fingerprint of a home."""
    for folder in ("plugins/inner", "config", "site-packages"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("airflow.cfg", "plugins/plugin.py", "plugins/inner/deep.py"):
        (tmp_path / name).write_text("old")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    return lambda: fingerprint(tmp_path / "airflow.cfg", tmp_path / "plugins", tmp_path / "config")


@pytest.mark.parametrize(
    "name",
    [
        "airflow.cfg",
        "config/airflow_local_settings.py",
        "plugins/plugin.py",
        "plugins/new.py",
        "plugins/inner/deep.py",
        "plugins/inner/new.txt",
        "site-packages/installed.dist-info",
    ],
)
def test_a_file_that_a_host_has_in_its_memory_changes_it(
    tell: Callable[[], str], tmp_path: Path, name: str
) -> None:
    before = tell()
    assert before == tell()
    (tmp_path / name).write_text("newer")
    changed = tell()
    assert changed != before
    (tmp_path / name).unlink()
    assert tell() != changed


@pytest.mark.parametrize("name", ["plugins/__pycache__/plugin.pyc", "config/other.py", "dags.py"])
def test_a_file_that_it_has_not_does_not(tell: Callable[[], str], tmp_path: Path, name: str) -> None:
    (tmp_path / "plugins" / "__pycache__").mkdir()
    before = tell()
    (tmp_path / name).write_text("new")
    assert tell() == before


@pytest.mark.parametrize(
    "name", ["AIRFLOW__CORE__PARALLELISM", "AIRFLOW_CONN_X", "AIRFLOW_HOME", "PYTHONPATH", "TZ", "LC_ALL"]
)
def test_a_variable_that_configures_changes_it(
    tell: Callable[[], str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before, servers = tell(), environment_digest()
    monkeypatch.setenv(name, "changed")
    assert tell() != before
    assert environment_digest() != servers


@pytest.mark.parametrize("name", ["AIRFLOW_API_APPS", "PYTHONUTF8", "HOSTNAME", "REQUEST"])
def test_a_variable_of_a_servers_does_not(
    tell: Callable[[], str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before, servers = tell(), environment_digest()
    monkeypatch.setenv(name, "changed")
    assert tell() == before
    assert environment_digest() == servers


def test_a_folder_of_many_plugins_is_looked_at_for_a_limited_time(
    tell: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_remote_server.runner.fingerprint.MOST_FILES", 2)
    before = tell()
    (tmp_path / "plugins" / "zzz").write_text("")
    assert tell() != before, "the folder's own time has changed"
