from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_remote_server.execution.fingerprint import environment_digest, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def read_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return a function that returns the fingerprint of an AIRFLOW_HOME."""
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
def test_file_that_a_fork_server_keeps_in_memory_changes_the_fingerprint(
    read_fingerprint: Callable[[], str], tmp_path: Path, name: str
) -> None:
    before = read_fingerprint()
    assert before == read_fingerprint()
    (tmp_path / name).write_text("newer")
    changed = read_fingerprint()
    assert changed != before
    (tmp_path / name).unlink()
    assert read_fingerprint() != changed


@pytest.mark.parametrize("name", ["plugins/__pycache__/plugin.pyc", "config/other.py", "dags.py"])
def test_other_file_does_not_change_the_fingerprint(
    read_fingerprint: Callable[[], str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "plugins" / "__pycache__").mkdir()
    before = read_fingerprint()
    (tmp_path / name).write_text("new")
    assert read_fingerprint() == before


@pytest.mark.parametrize(
    "name", ["AIRFLOW__CORE__PARALLELISM", "AIRFLOW_CONN_X", "AIRFLOW_HOME", "PYTHONPATH", "TZ", "LC_ALL"]
)
def test_variable_that_configures_airflow_or_python_changes_the_fingerprint(
    read_fingerprint: Callable[[], str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before, environment = read_fingerprint(), environment_digest()
    monkeypatch.setenv(name, "changed")
    assert read_fingerprint() != before
    assert environment_digest() != environment


@pytest.mark.parametrize("name", ["AIRFLOW_API_APPS", "PYTHONUTF8", "HOSTNAME", "REQUEST"])
def test_variable_of_the_server_does_not_change_the_fingerprint(
    read_fingerprint: Callable[[], str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before, environment = read_fingerprint(), environment_digest()
    monkeypatch.setenv(name, "changed")
    assert read_fingerprint() == before
    assert environment_digest() == environment


def test_number_of_plugin_files_that_are_read_is_limited(
    read_fingerprint: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_remote_server.execution.fingerprint.MAX_FILES", 2)
    before = read_fingerprint()
    (tmp_path / "plugins" / "zzz").write_text("")
    assert read_fingerprint() != before, "the modification time of the folder has changed"
