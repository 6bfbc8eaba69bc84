"""The servers that the tests share: one of each version for nearly everything, others for a few tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from live.harness import VERSIONS, Server, running

DAGS = Path(__file__).parent / "dags"
PLUGINS = Path(__file__).parent / "plugins"
NOISE = "noise from the local settings"
"""What every process of Airflow prints at its start, on the shared servers."""
MAX_QUEUED = 100
"""How many commands may wait on the shared servers."""
TOKENS = "tokens.toml"
"""The tokens file of the shared servers, which has no tokens but those of a test that puts some in."""
BODY_TIMEOUT = 8.0
"""Seconds in which the body of a request has to come there."""


FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLOW = 60_000  # milliseconds; the first page of a cold Airflow is the slowest


@pytest.fixture(scope="session")
def main_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """The way in of the plugin file, with a token, and the DAGs of the tests.

    Airflow 2 shows its configuration without what is secret for "non-sensitive-only", all of it for "True".
    """
    homes = {version: tmp_path_factory.mktemp(f"main-{version}") / "home" for version in VERSIONS}
    for home in homes.values():
        shutil.copytree(DAGS, home / "dags")
        (home / "config").mkdir()
        (home / TOKENS).touch(0o600)
        (home / "config" / "airflow_local_settings.py").write_text(f"print({NOISE!r})\n")
    shutil.copytree(PLUGINS, homes["3.3"] / "plugins")
    environment = {
        "AIRFLOW__WEBSERVER__EXPOSE_CONFIG": "non-sensitive-only",
        "AIRFLOW__API__EXPOSE_CONFIG": "True",
        # As in a container whose log is meant to be colourful.
        "FORCE_COLOR": "1",
        "AIRFLOW__REST_API_PLUGIN__MAX_QUEUED": str(MAX_QUEUED),
        "AIRFLOW__REST_API_PLUGIN__TOKENS_FILE": TOKENS,
        "AIRFLOW__REST_API_PLUGIN__MAX_REQUESTS": "1000",
        "AIRFLOW__REST_API_PLUGIN__BODY_TIMEOUT": str(BODY_TIMEOUT),
    }
    with running(homes, environment=environment) as servers:
        yield servers


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest, main_servers: dict[str, Server]) -> Server:
    """The shared server of one version. Not of a wider scope: both versions' servers run all the time."""
    return main_servers[request.param]


@pytest.fixture
def server2(main_servers: dict[str, Server]) -> Server:
    """The shared server of Airflow 2."""
    return main_servers["2.11"]


@pytest.fixture
def server3(main_servers: dict[str, Server]) -> Server:
    """The shared server of Airflow 3."""
    return main_servers["3.3"]


@pytest.fixture(scope="session")
def spare_homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Homes for one further pair of servers at a time: to migrate a new database takes seconds."""
    return {version: tmp_path_factory.mktemp(f"spare-{version}") / "home" for version in VERSIONS}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Not of a wider scope: it keeps an event loop, and others may want one of their own."""
    with sync_playwright() as playwright:
        # Never None where `make test` runs: it installs Debian's.
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own, in a session of its own."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(SLOW)
    expect.set_options(timeout=SLOW)
    yield context.new_page()
    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show the end of the server's log with a failure."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server):
                report.sections.append((f"log of {name}, Airflow {value.version}", value.log()))
    return report
