"""Fixtures of the live tests: one shared server for each version, and homes for further servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from live.harness import VERSIONS, Server, run_servers

DAGS = Path(__file__).parent / "dags"
PLUGINS = Path(__file__).parent / "plugins"
NOISE = "noise from the local settings"
"""The text that every Airflow process of the shared servers prints when it starts."""
MAX_QUEUED = 100
"""The maximum number of queued commands on the shared servers."""
TOKENS = "tokens.toml"
"""The tokens file of the shared servers. It is empty unless a test writes tokens to it."""
BODY_TIMEOUT = 8.0
"""Seconds within which the shared servers must receive the body of a request."""
SEND_TIMEOUT = 8.0
"""Seconds after which the shared servers close the connection of a client that reads nothing."""


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
    """Start the shared servers: with the plugin file, a token and the DAGs of the tests.

    Airflow 2 hides secrets in its configuration for "non-sensitive-only" and shows all of it for "True".
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
        # Containers set this to get a colored log.
        "FORCE_COLOR": "1",
        "AIRFLOW__REST_API_PLUGIN__MAX_QUEUED": str(MAX_QUEUED),
        "AIRFLOW__REST_API_PLUGIN__TOKENS_FILE": TOKENS,
        "AIRFLOW__REST_API_PLUGIN__MAX_REQUESTS": "1000",
        "AIRFLOW__REST_API_PLUGIN__BODY_TIMEOUT": str(BODY_TIMEOUT),
        "AIRFLOW__REST_API_PLUGIN__SEND_TIMEOUT": str(SEND_TIMEOUT),
    }
    # Celery's commands need a Celery executor: one version has it.
    executor = {"3.3": {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor,CeleryExecutor"}}
    with run_servers(homes, executor, environment=environment) as servers:
        yield servers


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest, main_servers: dict[str, Server]) -> Server:
    """Return the shared server of one version. The servers of both versions run all the time."""
    return main_servers[request.param]


@pytest.fixture
def server2(main_servers: dict[str, Server]) -> Server:
    """Return the shared server of Airflow 2."""
    return main_servers["2.11"]


@pytest.fixture
def server3(main_servers: dict[str, Server]) -> Server:
    """Return the shared server of Airflow 3."""
    return main_servers["3.3"]


@pytest.fixture(scope="session")
def spare_homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return homes with DAGs for one more pair of servers at a time. Reuse saves the time of a migration."""
    homes = {version: tmp_path_factory.mktemp(f"spare-{version}") / "home" for version in VERSIONS}
    for home in homes.values():
        shutil.copytree(DAGS, home / "dags")
    return homes


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium, for one module: its event loop would be in the way of other tests."""
    with sync_playwright() as playwright:
        # `make test` installs Debian's Chromium, so this is not None there.
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a tab in a new browser session."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(SLOW)
    expect.set_options(timeout=SLOW)
    yield context.new_page()
    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Append the end of the server's log to the report of a failure."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server):
                report.sections.append((f"log of {name}, Airflow {value.version}", value.read_log()))
    return report
