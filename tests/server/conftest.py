"""An AIRFLOW_HOME of its own for the tests of the server side, and an API in this process.

``airflow_local_settings.py`` is Airflow's own hook for an operator's code: it is run by every command. Here
it misbehaves as ``MISBEHAVE`` says, so that real commands of the real Airflow can do what a test needs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import Client

    from airflow_remote_server.settings import Settings

HOME = Path(tempfile.mkdtemp(prefix="airflow-remote-tests-"))
TOKEN = "open sesame"

MISBEHAVIOUR = """
import os, subprocess, sys, time
deed = os.environ.pop("MISBEHAVE", "")
if deed == "sleep":
    time.sleep(600)
elif deed == "flood":
    while True:
        os.write(1, b"x" * 65536)
elif deed == "burst":
    os.write(1, b"x" * 1_000_001)
    os._exit(0)
elif deed == "grandchild-and-sleep":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.write(1, b"grandchild %d\\n" % child.pid)
    time.sleep(600)
elif deed == "grandchild":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.write(1, b"grandchild %d\\n" % child.pid)
elif deed == "stdin":
    os.write(1, b"read %r\\n" % sys.stdin.read())
elif deed == "segfault":
    os.kill(os.getpid(), 11)
elif deed == "colour":
    print("NO_COLOR" in os.environ, os.environ.get("FORCE_COLOR"), file=sys.stderr)
"""


def pytest_configure() -> None:
    """Set up the home before anything imports Airflow."""
    for folder in ("dags", "plugins", "logs", "config"):
        (HOME / folder).mkdir()
    (HOME / "config" / "airflow_local_settings.py").write_text(MISBEHAVIOUR)
    for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
        del os.environ[name]
    os.environ.update(
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


@pytest.fixture
def make_settings(tmp_path: Path, major: int) -> Callable[..., Settings]:
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
                "state_dir": tmp_path / "state",
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
def misbehave(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the commands that are run from now on do something, before Airflow's own work."""
    return lambda deed: monkeypatch.setenv("MISBEHAVE", deed)
