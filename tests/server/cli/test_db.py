"""``airflow-remote-server db``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from postgres import postgres

from airflow_remote_server import __version__
from airflow_remote_server.cli.main import main
from airflow_remote_server.jobs import engine as engine_module
from airflow_remote_server.jobs import migrations

JOBS_URL = "AIRFLOW__REST_API_PLUGIN__JOBS_URL"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let Airflow's configuration name an empty store, and return its URL."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    monkeypatch.setenv(JOBS_URL, url)
    return url


def test_upgrade_says_from_which_version_to_which(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    latest = migrations.LATEST
    assert main(["db", "check"]) == 1
    outdated = capsys.readouterr().out
    assert outdated.startswith(f"the job store has version 0 of its tables, and {__version__} needs {latest}")
    assert "airflow-remote-server db upgrade" in outdated
    assert main(["db", "upgrade"]) == 0
    assert capsys.readouterr().out == f"upgraded the job store from version 0 of its tables to {latest}\n"
    assert main(["db", "upgrade"]) == 0
    assert capsys.readouterr().out == f"the job store has version {latest} of its tables already\n"
    assert main(["db", "check"]) == 0
    assert f"as {__version__} needs it" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["check", "upgrade"])
def test_store_of_a_newer_release_is_left_alone(
    url: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "upgrade"]) == 0
    engine = engine_module.make_engine(url)
    with engine.begin() as connection:
        connection.execute(migrations.VERSIONS.insert().values(version=migrations.LATEST + 1))
    capsys.readouterr()
    assert main(["db", action]) == 1
    assert migrations.version_of(engine) == migrations.LATEST + 1
    engine.dispose()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "a newer release of airflow-remote has upgraded the job store" in said.err
    assert "upgrade airflow-remote" in said.err


@pytest.mark.parametrize("action", ["check", "upgrade"])
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgresql+psycopg2://nobody:hunter2@127.0.0.1:1/none", "the job store cannot be used"),
        ("sqlite:////proc/none/jobs.db", "the job store cannot be used"),
        ("no url: hunter2", "it is not an SQLAlchemy URL"),
        ("nosuch://hunter2@host/db", "jobs_url cannot be used"),
        ("postgresql+asyncpg://host/db", "a driver that is not asynchronous"),
    ],
)
def test_store_that_cannot_be_used_is_reported_in_one_line(
    action: str,
    address: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(JOBS_URL, address.replace("%", "%%"))
    assert main(["db", action]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1), said
    assert said.err.startswith("airflow-remote-server: ")
    assert reason in said.err
    assert "hunter2" not in said.err


WORDS = st.sampled_from(["db", "--help", "-h", "--version", "--odd", "--"]) | st.text(max_size=20)


@given(words=st.lists(WORDS, max_size=4))
def test_any_command_line_is_answered_or_refused(words: list[str]) -> None:
    assume(not {"check", "upgrade", "worker"} & {*words})
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code in (0, 2)


@pytest.mark.slow
def test_two_at_once_upgrade_a_store_once(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "airflow_remote_server.cli.main", "db"]
    with postgres() as url:
        started = [
            subprocess.Popen(
                [*program, "upgrade"],
                env={**_environment(tmp_path), JOBS_URL: url},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        ended = [(*process.communicate(timeout=240), process.returncode) for process in started]
        assert [code for *_, code in ended] == [0, 0], ended
        assert any(f"to {migrations.LATEST}" in out for out, *_ in ended), ended
        engine = engine_module.make_engine(url)
        assert migrations.version_of(engine) == migrations.LATEST
        engine.dispose()


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "AIRFLOW_HOME": str(home)}
