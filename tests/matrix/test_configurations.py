"""Common configurations, one at a time, on webservers of Airflow 2.11 and 3.3."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from live.concurrency import wait_until
from live.environment import environment_without_airflow
from live.harness import PREFIX, TOKEN, VERSIONS, Server, python_of, start_server
from live.ports import free_port
from live.smoke import check_smoke
from server.postgres import postgres

from matrix.environments import LOCKS, create, run

PYTHONS = {"2.11": ("3.10", "3.12"), "3.3": ("3.10", "3.12", "3.13")}
"""The Python versions that a release supports, except 3.11, which all other tests use."""

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


@dataclass(frozen=True)
class Configuration:
    """A configuration of Airflow.

    :param name: a description
    :param environment: the variables with its settings
    :param versions: the versions of Airflow that have these settings
    :param base_path: the path of Airflow's URL
    :param postgresql: whether Airflow's database is PostgreSQL, which these executors need on Airflow 2
    """

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    versions: tuple[str, ...] = tuple(VERSIONS)
    base_path: str = ""
    postgresql: bool = False


CONFIGURATIONS = (
    Configuration("JSON logs", {"AIRFLOW__LOGGING__JSON_LOGS": "True"}, ("3.3",)),
    Configuration("no colored logs", {"AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False"}),
    Configuration("DEBUG", {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}),
    Configuration(
        "remote logging",
        {
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://no-such-bucket/logs",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nobody's",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_MAX_ATTEMPTS": "1",
        },
    ),
    Configuration("a path in base_url", base_path="/some/where"),
    Configuration(
        "Simple auth manager, logins",
        {
            "AIRFLOW__CORE__AUTH_MANAGER": SIMPLE,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        },
        ("3.3",),
    ),
    Configuration(
        "Simple auth manager, all admins",
        {
            "AIRFLOW__CORE__AUTH_MANAGER": SIMPLE,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        },
        ("3.3",),
    ),
    Configuration("FAB auth manager", {"AIRFLOW__CORE__AUTH_MANAGER": FAB}, ("3.3",)),
    Configuration("FAB auth manager, which Airflow 2 has by default", {}, ("2.11",)),
    Configuration("PostgreSQL", postgresql=True),
    Configuration("LocalExecutor", {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}, postgresql=True),
    Configuration(
        "CeleryExecutor",
        {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "AIRFLOW__CELERY__RESULT_BACKEND": "cache+memory://"},
        postgresql=True,
    ),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test for each version, and for each configuration or Python that it needs."""
    major = str(metafunc.config.getoption("--major") or "")
    versions = [version for version in VERSIONS if version.startswith(major)]
    if "configuration" in metafunc.fixturenames:
        pairs = [
            pytest.param(version, configuration, id=f"{version}-{configuration.name}")
            for version in versions
            for configuration in CONFIGURATIONS
            if version in configuration.versions
        ]
        metafunc.parametrize(("version", "configuration"), pairs)
    elif "python" in metafunc.fixturenames:
        pythons = [(version, python) for version in versions for python in PYTHONS[version]]
        metafunc.parametrize(("version", "python"), pythons)
    elif "version" in metafunc.fixturenames:
        metafunc.parametrize("version", versions)


_installed: set[str] = set()


@pytest.fixture
def environment(version: str, wheel: Path) -> str:
    """Return the name of an environment with the providers that the configurations need."""
    name = f"{version}-configurations"
    if name not in _installed:
        python = create(f"airflow-{name}", "-r", str(LOCKS / f"configurations-{version}.txt"))
        run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{wheel}[server]")
        _installed.add(name)
    return name


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a short path, so that the fork server's socket is in its home."""
    return tmp_path_factory.mktemp("cfg")


@contextmanager
def serving(environment: str, home: Path, configuration: Configuration) -> Iterator[Server]:
    """Run a webserver."""
    with ExitStack() as stack:
        settings = configuration.environment
        if configuration.postgresql:
            settings = {**settings, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": stack.enter_context(postgres())}
        base_path = configuration.base_path
        server = start_server(environment, home, way="entrypoint", base_path=base_path, environment=settings)
        stack.callback(server.stop)
        yield server


def test_a_configuration(version: str, configuration: Configuration, environment: str, folder: Path) -> None:
    with serving(environment, folder / "home", configuration) as server:
        check_smoke(server, VERSIONS[version])


def test_a_dags_folder_that_git_sync_makes(version: str, environment: str, folder: Path) -> None:
    tree = folder / "git" / ".worktrees" / "0123abc"
    (tree / "dags").mkdir(parents=True)
    link = folder / "git" / "current"
    link.symlink_to(tree)
    configuration = Configuration("git-sync", {"AIRFLOW__CORE__DAGS_FOLDER": str(link / "dags")})
    with serving(environment, folder / "home", configuration) as server:
        check_smoke(server, VERSIONS[version])
    assert (tree / "dags" / "smoke_deployed.py").exists()


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
"""A shell line that runs a program with a folder that even root cannot write to."""


def test_a_home_that_cannot_be_written_to(version: str, environment: str, folder: Path) -> None:
    home, elsewhere = folder / "home", folder / "elsewhere"
    (elsewhere / "dags").mkdir(parents=True)
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(elsewhere / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{elsewhere}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(elsewhere / "logs"),
        "AIRFLOW__REST_API_PLUGIN__STATE_DIR": str(elsewhere / "state"),
        "AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN": TOKEN,
    }
    with serving(environment, home, Configuration("to prepare", settings)):
        pass  # this creates the files of the home
    port = free_port()
    python = python_of(environment)
    command = ["webserver", "-H", "127.0.0.1", "--pid", str(elsewhere / "webserver.pid")]
    if version == "3.3":
        command = ["api-server", "--host", "127.0.0.1"]
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    with (elsewhere / "server.log").open("w") as log:
        process = subprocess.Popen(
            [
                *("unshare", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, str(home)),
                *(str(python), "-m", "airflow", *command, "--port", str(port)),
            ],
            env={
                **environment_without_airflow(),
                **settings,
                "AIRFLOW_HOME": str(home),
                "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
                "PATH": path,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
    server = Server(environment, home, f"http://127.0.0.1:{port}", TOKEN, process, {})
    try:
        wait_until_it_answers(server, elsewhere / "server.log")
        check_smoke(server, VERSIONS[version])
    finally:
        server.stop()
    assert not (home / "rest_api").exists()


def wait_until_it_answers(server: Server, log: Path) -> None:
    """Wait for the first response of a server that has just been started."""

    def answers() -> bool:
        assert server.process.poll() is None, log.read_text()[-3000:]
        try:
            return server.request("/api/v1.0/health").status == 200
        except OSError:
            time.sleep(0.2)
            return False

    wait_until(f"an answer of {server.url}{PREFIX}", answers, 120)


def test_a_python(version: str, python: str, wheel: Path, folder: Path) -> None:
    name = f"{version}-python{python}"
    release = VERSIONS[version]
    lock = str(LOCKS / f"python{python}-{version}.txt")
    interpreter = create(f"airflow-{name}", "-r", lock, python=find_python(python))
    run(interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{wheel}[server]")
    tokens = folder / "tokens.toml"  # which tomli reads on Python 3.10
    tokens.touch(0o600)
    settings = {"AIRFLOW__REST_API_PLUGIN__TOKENS_FILE": str(tokens)}
    with serving(name, folder / "home", Configuration(python, settings)) as server:
        check_smoke(server, release)


def find_python(version: str) -> str:
    """Return an interpreter of a version, from PATH or from pyenv."""
    interpreters = [shutil.which(f"python{version}")]
    roots = [Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()]
    interpreters += [
        str(path) for root in roots for path in sorted(root.glob(f"versions/{version}.*/bin/python"))
    ]
    for path in interpreters:
        # pyenv may have a shim for a version that is not selected.
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    raise AssertionError(f"this needs Python {version}: have python{version} on PATH, or in pyenv")
