"""Fixtures of the matrix: the selected releases, the wheel, and a webserver of each release."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live.conftest import browser, page  # noqa: F401 - fixtures
from live.harness import ROOT, Server, start_server

from matrix.environments import RELEASES, Installation, install, run
from matrix.gunicorns import C_PARSER, GUNICORNS, install_gunicorn

DAGS = Path(__file__).parent / "dags"
RESULTS = ROOT / "test-results" / "matrix"

_outcomes: dict[str, dict[str, str]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options that select releases."""
    parser.addoption("--airflow", default="", help="releases of Airflow, separated by commas; default: all")
    parser.addoption(
        "--major", type=int, default=0, help="only releases, and other tests, of this major version"
    )


def chosen(config: pytest.Config) -> list[str]:
    """Return the selected releases."""
    named = [name for name in config.getoption("--airflow").replace(" ", ",").split(",") if name]
    unknown = sorted(set(named) - set(RELEASES))
    if unknown:
        raise pytest.UsageError(f"no such release: {', '.join(unknown)}; there are {', '.join(RELEASES)}")
    major = config.getoption("--major")
    return [name for name in named or RELEASES if major in (0, int(name.partition(".")[0]))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs a release, or a gunicorn, once for each of them."""
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", chosen(metafunc.config), indirect=True, scope="module")
    if "gunicorn" in metafunc.fixturenames:
        metafunc.parametrize("gunicorn", GUNICORNS + C_PARSER, indirect=True, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that do not apply to the release or major version, and note them for the table."""
    deselected: list[pytest.Item] = []
    for item in items:
        release = release_of(item)
        if release.startswith("3.") and item.get_closest_marker("airflow2") is not None:
            deselected.append(item)
            _outcomes.setdefault(release, {})[getattr(item, "originalname", item.name)] = "-"
        elif config.getoption("--major") == 3 and "gunicorn" in getattr(item, "fixturenames", ()):
            deselected.append(item)  # Airflow 3 runs on uvicorn
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in deselected]


def release_of(item: pytest.Item) -> str:
    """Return the release that a test runs with; "" if it needs none."""
    callspec = getattr(item, "callspec", None)
    return "" if callspec is None else str(callspec.params.get("release", ""))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Record the outcome of a release's test, and append the server's log to a failure."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    if report.failed:
        for name, value in arguments.items():
            if isinstance(value, Server):
                report.sections.append((f"log of {name}, Airflow {value.version}", value.read_log()))
    release = release_of(item)
    if release and item.path.name == "test_release.py" and (report.when == "call" or report.failed):
        feature = item.originalname  # type: ignore[attr-defined]
        outcomes = _outcomes.setdefault(release, {})
        if report.failed:
            outcomes[feature] = "no"
        else:
            outcomes.setdefault(feature, "yes")
    return report


def pytest_sessionfinish() -> None:
    """Write the outcomes of each release for the table in docs/reference/compatibility.md."""
    for release, outcomes in _outcomes.items():
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{release}.json").write_text(json.dumps(outcomes, indent=1) + "\n")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build this project's wheel from a copy of the sources."""
    source = tmp_path_factory.mktemp("source") / "airflow-remote"
    ignored = shutil.ignore_patterns(
        ".venv",
        ".git",
        "build",
        "dist",
        "*.egg-info",
        "__pycache__",
        "test-results",
        ".*_cache",
        ".hypothesis",
    )
    shutil.copytree(ROOT, source, ignore=ignored)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", source)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def release(request: pytest.FixtureRequest) -> str:
    """Return a release of Airflow."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def installation(release: str, wheel: Path) -> Installation:
    """Install the release and the wheel into an environment."""
    return install(release, wheel)


@pytest.fixture(scope="module")
def home(release: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the AIRFLOW_HOME for the servers of the release."""
    home = tmp_path_factory.mktemp(f"matrix-{release}") / "home"
    shutil.copytree(DAGS, home / "dags")
    return home


@pytest.fixture(scope="module")
def server(release: str, installation: Installation, home: Path) -> Iterator[Server]:
    """Start a webserver of the release, wrapped by the installed package."""
    assert installation.python.exists()
    server = start_server(release, home, way="entrypoint")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gunicorn(request: pytest.FixtureRequest) -> Path:
    """Return a folder with one version of gunicorn."""
    return install_gunicorn(request.param)
