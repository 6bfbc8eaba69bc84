"""The servers that the tests share: one of each version for nearly everything, others for a few tests each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from live.harness import VERSIONS, Server, running


@pytest.fixture(scope="session")
def main_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """The way in of the plugin file, with a token; Airflow shows its configuration to who may see it."""
    homes = {version: tmp_path_factory.mktemp(f"main-{version}") / "home" for version in VERSIONS}
    shown = {f"AIRFLOW__{section}__EXPOSE_CONFIG": "True" for section in ("WEBSERVER", "API")}
    with running(homes, environment=shown) as servers:
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show the end of the server's log with a failure."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server):
                report.sections.append((f"log of {name}, Airflow {value.version}", value.log()))
    return report
