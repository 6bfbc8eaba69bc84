"""A temporary AIRFLOW_HOME for the tests of the server, and an API in this process.

All tests share the AIRFLOW_HOME, in which commands run. Each test has its own state directory, unless it uses
``shared_state``, and with it a running fork server, which takes seconds to start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import probe_dag
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from local_settings import LOITER
from probe_dag import MakeProbe, Probe
from processes import state_folder
from remote import TOKEN, Remote, entry, secret_of

import airflow_remote_server
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.test import Client

    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.jobs.models import Job

collect_ignore = [] if find_spec("uvicorn") else ["http/test_break_off.py"]
"""Airflow 2 does not ship the server that these tests run."""

HOME = Path(tempfile.mkdtemp(prefix="airflow-remote-tests-"))

# The speed of a busy machine says nothing about the code.
hypothesis_settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("any")


def pytest_configure(config: pytest.Config) -> None:
    """Set up the home before anything imports Airflow."""
    # RFC 9110, 10.2.2 allows relative URLs, and only they are right behind an unknown proxy.
    config.addinivalue_line("filterwarnings", "ignore:Absolute URLs required for location header")
    for folder in ("dags", "plugins", "logs", "config"):
        (HOME / folder).mkdir()
    (HOME / "config" / "airflow_local_settings.py").write_text(LOITER)
    probe_dag.install(HOME)
    for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
        del os.environ[name]
    os.environ.update(
        PYTHONPATH=str(Path(airflow_remote_server.__file__).parents[1]),  # child processes test the same code
        AIRFLOW_HOME=str(HOME),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="600",  # a probe that waits must not end after Airflow's 30 s
        AIRFLOW__CORE__UNIT_TEST_MODE="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own warnings
        import airflow.settings

        airflow.settings.initialize()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other major version of Airflow."""
    other = "airflow2" if installed_major() == 3 else "airflow3"
    left_out = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def installed_major() -> int:
    """Return the major version of the installed Airflow."""
    return int(version("apache-airflow").split(".", 1)[0])


def pytest_unconfigure() -> None:
    """Remove the home."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Wait longer for what starts slowly on a busy machine; afterwards, commands would run in another way."""
    from airflow_remote_server.catalog import source
    from airflow_remote_server.execution import client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "WAIT_SECONDS", 100.0)
        patch.setattr(client, "START_SECONDS", 100.0)
        yield


@pytest.fixture
def home() -> Path:
    """Return the AIRFLOW_HOME."""
    return HOME


@pytest.fixture(scope="session")
def major() -> int:
    """Return the major version of the installed Airflow."""
    return installed_major()


@pytest.fixture(scope="session")
def database() -> None:
    """Create the tables of Airflow's database."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@pytest.fixture(scope="session")
def shared_state(database: None) -> Iterator[Path]:
    """Return a state directory that tests share."""
    with state_folder() as state:
        yield state


@pytest.fixture
def state() -> Iterator[Path]:
    """Return a state directory for this test alone."""
    with state_folder() as state:
        yield state


@pytest.fixture
def make_settings(tmp_path: Path, state: Path, major: int) -> Callable[..., Settings]:
    """Return a function that makes settings with a token and directories of this test."""
    from airflow_remote_server.config.settings import Settings

    for folder in ("dags", "logs"):
        (tmp_path / folder).mkdir()

    def make(**changes: Any) -> Settings:
        return Settings(
            **{
                "token": TOKEN,
                "airflow_release": NEWEST_OF_MAJOR[major],
                "dags_folder": tmp_path / "dags",
                "log_folder": tmp_path / "logs",
                "state_dir": state,
                **changes,
            }
        )

    return make


def wrapped(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Respond with the path that was requested: an application to wrap."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"airflow {environ.get('SCRIPT_NAME', '')}|{environ.get('PATH_INFO', '')}".encode()]


@pytest.fixture
def make_client(make_settings: Callable[..., Settings]) -> Callable[..., Client]:
    """Return a function that makes a client of the middleware, checked by werkzeug's LintMiddleware."""
    from werkzeug.middleware.lint import LintMiddleware
    from werkzeug.test import Client

    from airflow_remote_server import RestApiMiddleware

    def make(**changes: Any) -> Client:
        return Client(LintMiddleware(RestApiMiddleware(wrapped, make_settings(**changes))))

    return make


@pytest.fixture
def ask(make_client: Callable[..., Client]) -> Callable[..., Any]:
    """Return a function that calls an endpoint with the token, and returns status and envelope."""
    client = make_client()

    def call(name: str, method: str = "GET", **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {"rest-api-plugin-http-token": TOKEN, **more.pop("headers", {})}
        response = client.open(f"/admin/rest_api/api/v1.0/{name}", method=method, headers=headers, **more)
        document: dict[str, Any] = response.get_json()
        return response.status_code, document

    return call


@pytest.fixture
def make_remote(make_settings: Callable[..., Settings]) -> Callable[..., Remote]:
    """Return a function that makes a caller of a new API; several may share a state directory."""
    from werkzeug.middleware.lint import LintMiddleware
    from werkzeug.test import Client

    from airflow_remote_server import RestApiMiddleware

    def make(**changes: Any) -> Remote:
        settings = make_settings(**changes)
        remote = Remote(Client(LintMiddleware(RestApiMiddleware(wrapped, settings))), settings)
        remote("health")  # creates the API now: Python 3.11 cannot do that in several threads (gh-106905)
        return remote

    return make


@pytest.fixture
def remote(make_remote: Callable[..., Remote], shared_state: Path) -> Remote:
    """Return a caller of an API whose commands the shared fork server runs."""
    return make_remote(state_dir=shared_state)


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    """Return the path of a tokens file, which does not exist yet."""
    return tmp_path / "tokens.toml"


@pytest.fixture
def holder(
    make_remote: Callable[..., Remote], shared_state: Path, tokens_file: Path
) -> Callable[..., Remote]:
    """Return a function that makes a caller with the only token of a tokens file.

    The API also accepts the admin's token of airflow.cfg.
    """

    def make(role: str, more: str = "", roles: str = "", **changes: Any) -> Remote:
        tokens_file.write_text(f"{roles}\n{entry('ci', role)}{more}\n")
        tokens_file.chmod(0o600)
        remote = make_remote(**{"state_dir": shared_state, "tokens_file": tokens_file, **changes})
        return remote.holding(secret_of("ci"))

    return make


@pytest.fixture
def old(make_settings: Any) -> Callable[..., list[Job]]:
    """Return a function that adds ended jobs, as of an earlier webserver, and returns them, oldest first."""
    from airflow_remote_server.jobs.factory import make_jobs
    from airflow_remote_server.jobs.models import Job, JobState

    def add(count: int = 1, output: bytes = b"", **changes: Any) -> list[Job]:
        jobs = make_jobs(make_settings())
        made: list[Job] = []
        for _ in range(count):
            now = time.time()
            values = {
                "id": f"{time.time_ns() // 1000:014x}{len(made):018x}",
                "kind": "command",
                "state": JobState.SUCCEEDED,
                "node": jobs.spools.node,
                "principal": "token",
                "peer": "192.0.2.1",
                "name": "version",
                "command": "airflow version",
                "arguments": "{}",
                "created": now,
                "started": now,
                "ended": now,
                "exit_code": 0,
            }
            made.append(Job(**{**values, **changes}))
            jobs.store.add(made[-1], None)
            folder = jobs.spools.spool_of(made[-1]).path
            folder.mkdir()
            (folder / "stdout").write_bytes(output)
        return made

    return add


@pytest.fixture
def make_probe(database: None, state: Path) -> Iterator[MakeProbe]:
    """Return a function that makes a probe command (``probe_dag``).

    At the end, waiting commands go on, so that ``state_folder`` finds no process left.
    """
    made = []

    def make(verb: str, *more: object) -> Probe:
        made.append(Probe(HOME, verb, *more))
        return made[-1]

    yield make
    for probe in made:
        probe.release()


@pytest.fixture
def cold_state(state: Path) -> Path:
    """Return a state directory in which no fork server can start."""
    state.mkdir(0o700)
    (state / "host").write_text("")
    return state


@pytest.fixture
def loiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all cold processes stay, and do nothing."""
    monkeypatch.setenv("LOITER", "1")
