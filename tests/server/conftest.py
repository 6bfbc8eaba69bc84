"""An AIRFLOW_HOME of its own for the tests of the server side, and an API in this process.

Commands run in the AIRFLOW_HOME, for all tests the same; jobs have a state directory for each test, unless
tests share one (``shared_state``), and with it the warm host, which takes seconds to start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deeds
import pytest
from deeds import Deed
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from processes import end_all
from remote import TOKEN, Remote, entry, secret_of

import airflow_remote_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.test import Client

    from airflow_remote_server.jobs import Job
    from airflow_remote_server.settings import Settings

HOME = Path(tempfile.mkdtemp(prefix="airflow-remote-tests-"))

# How fast a busy machine is says nothing about the code.
hypothesis_settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("any")

LOITER = """
import os, time
how = os.environ.pop("LOITER", "")
if how.startswith("as a"):
    reading, writing = os.pipe()
    command = os.getpid()
    if os.fork():
        os.read(reading, 1)
        os._exit(0)
    if how == "as a daemon":
        os.setsid()
    if os.fork():
        while how == "as a slow daemon" and os.getppid() == command:
            time.sleep(0.001)
        os._exit(0)
    os.write(1, b"%d\\n" % os.getpid())
    os.write(writing, b"!")
while how:
    os.write(1, b"loitering\\n")
    time.sleep(0.001 if how == "and chatter" else 600)
"""
"""``airflow_local_settings.py``, Airflow's hook for an operator's code, which every cold process runs."""


def pytest_configure(config: pytest.Config) -> None:
    """Set up the home before anything imports Airflow."""
    # RFC 9110, 10.2.2 allows relative ones, and only they are right behind a proxy that nobody told us of.
    config.addinivalue_line("filterwarnings", "ignore:Absolute URLs required for location header")
    for folder in ("dags", "plugins", "logs", "config"):
        (HOME / folder).mkdir()
    (HOME / "config" / "airflow_local_settings.py").write_text(LOITER)
    deeds.install(HOME)
    for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
        del os.environ[name]
    os.environ.update(
        PYTHONPATH=str(Path(airflow_remote_server.__file__).parents[1]),  # what is tested, also in children
        AIRFLOW_HOME=str(HOME),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__UNIT_TEST_MODE="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        import airflow.settings

        airflow.settings.initialize()


def pytest_unconfigure() -> None:
    """Remove the home."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture
def home() -> Path:
    """The AIRFLOW_HOME."""
    return HOME


@pytest.fixture(scope="session")
def major() -> int:
    """Major version of the installed Airflow."""
    from airflow import __version__

    return int(__version__.split(".", 1)[0])


@pytest.fixture(scope="session")
def database() -> None:
    """Airflow's database, with its tables."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@contextlib.contextmanager
def state_folder() -> Iterator[Path]:
    """A place for a state directory, with a path short enough for a socket; what runs there is ended."""
    with tempfile.TemporaryDirectory(prefix="remote-") as folder:
        yield Path(folder, "state")
        end_all(Path(folder))


@pytest.fixture(scope="session")
def shared_state(database: None) -> Iterator[Path]:
    """A state directory for tests that need none of their own."""
    with state_folder() as state:
        yield state


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory for this test alone."""
    with state_folder() as state:
        yield state


@pytest.fixture
def make_settings(tmp_path: Path, state: Path, major: int) -> Callable[..., Settings]:
    """Settings for folders of this test, with a token."""
    from airflow_remote_server.settings import Settings

    for folder in ("dags", "logs"):
        (tmp_path / folder).mkdir()

    def make(**changes: Any) -> Settings:
        return Settings(
            **{
                "token": TOKEN,
                "airflow_major": major,
                "dags_folder": tmp_path / "dags",
                "log_folder": tmp_path / "logs",
                "state_dir": state,
                **changes,
            }
        )

    return make


def wrapped(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application to wrap, which says what it was asked."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"airflow {environ.get('SCRIPT_NAME', '')}|{environ.get('PATH_INFO', '')}".encode()]


@pytest.fixture
def make_client(make_settings: Callable[..., Settings]) -> Callable[..., Client]:
    """A client of the middleware, checked by werkzeug's LintMiddleware, that sends the token."""
    from werkzeug.middleware.lint import LintMiddleware
    from werkzeug.test import Client

    from airflow_remote_server import RestApiMiddleware

    def make(**changes: Any) -> Client:
        return Client(LintMiddleware(RestApiMiddleware(wrapped, make_settings(**changes))))

    return make


@pytest.fixture
def ask(make_client: Callable[..., Client]) -> Callable[..., Any]:
    """Ask the API for one endpoint, with the token: (status, envelope)."""
    client = make_client()

    def call(name: str, method: str = "GET", **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {"rest-api-plugin-http-token": TOKEN, **more.pop("headers", {})}
        response = client.open(f"/admin/rest_api/api/v1.0/{name}", method=method, headers=headers, **more)
        return response.status_code, response.json

    return call


@pytest.fixture
def make_remote(make_settings: Callable[..., Settings]) -> Callable[..., Remote]:
    """A caller of an instance of the API, as a web worker has one; several may share a state directory."""
    from werkzeug.middleware.lint import LintMiddleware
    from werkzeug.test import Client

    from airflow_remote_server import RestApiMiddleware

    def make(**changes: Any) -> Remote:
        settings = make_settings(**changes)
        remote = Remote(Client(LintMiddleware(RestApiMiddleware(wrapped, settings))), settings)
        remote("health")  # makes the API here: Python 3.11 cannot do that in several threads (gh-106905)
        return remote

    return make


@pytest.fixture
def remote(make_remote: Callable[..., Remote], shared_state: Path) -> Remote:
    """A caller of the API whose commands the shared host runs."""
    return make_remote(state_dir=shared_state)


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    """A tokens file, which is there when something was written to it."""
    return tmp_path / "tokens.toml"


@pytest.fixture
def holder(
    make_remote: Callable[..., Remote], shared_state: Path, tokens_file: Path
) -> Callable[..., Remote]:
    """A caller of an API with a tokens file that has one token, and the admin's token of airflow.cfg."""

    def make(role: str, more: str = "", roles: str = "", **changes: Any) -> Remote:
        tokens_file.write_text(f"{roles}\n{entry('ci', role)}{more}\n")
        tokens_file.chmod(0o600)
        remote = make_remote(**{"state_dir": shared_state, "tokens_file": tokens_file, **changes})
        return remote.holding(secret_of("ci"))

    return make


@pytest.fixture
def old(make_settings: Any) -> Callable[..., list[Job]]:
    """Add jobs that have ended, as an earlier webserver may have left them: oldest first."""
    from airflow_remote_server.api import make_jobs
    from airflow_remote_server.jobs import Job, State

    def add(count: int = 1, output: bytes = b"", **changes: Any) -> list[Job]:
        jobs = make_jobs(make_settings())
        made = []
        for _ in range(count):
            now = time.time()
            values = {
                "id": f"{time.time_ns() // 1000:014x}{len(made):018x}",
                "kind": "command",
                "state": State.SUCCEEDED,
                "node": jobs.node,
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
            folder = jobs.folder(made[-1]).path
            folder.mkdir()
            (folder / "stdout").write_bytes(output)
        return made

    return add


@pytest.fixture
def make_deed(database: None, state: Path) -> Iterator[Callable[..., Deed]]:
    """A command that does something (``deeds``); one that still waits at the end may go on, before it is seen
    whether everything is gone (``state_folder``).
    """
    made = []

    def make(verb: str, *more: object) -> Deed:
        made.append(Deed(HOME, verb, *more))
        return made[-1]

    yield make
    for deed in made:
        deed.go()


@pytest.fixture
def cold_state(state: Path) -> Path:
    """A state directory that has no place for a warm host."""
    state.mkdir(0o700)
    (state / "host").write_text("")
    return state


@pytest.fixture
def loiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make whatever is started cold stay, and do nothing."""
    monkeypatch.setenv("LOITER", "1")
