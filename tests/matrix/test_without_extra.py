"""The package without its extra: Airflow works, and every route says what to install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from live.concurrency import wait_until
from live.harness import TOKEN, start_server
from live.smoke import check_smoke

from matrix.environments import LOCKS, create, run

COMPLETE = ("2.11.2",)
"""Releases that contain every package of the extra."""

INCOMPLETE = ("3.1.8", "3.3.2")
"""Releases without Werkzeug."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test for its releases."""
    releases = COMPLETE if "complete" in metafunc.fixturenames else INCOMPLETE
    name = "complete" if releases is COMPLETE else "incomplete"
    major = str(metafunc.config.getoption("--major") or "")
    metafunc.parametrize(name, [release for release in releases if release.startswith(major)])


def install(release: str, wheel: Path) -> str:
    """Install the wheel alone into a new environment, and return the environment's name."""
    name = f"{release}-no-extra"
    python = create(f"airflow-{name}", "-r", str(LOCKS / f"airflow-{release}.txt"))
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel)
    return name


def test_it_works_where_airflow_contains_the_extra(
    complete: str, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = start_server(install(complete, wheel), tmp_path_factory.mktemp("no") / "home", way="entrypoint")
    try:
        check_smoke(server, complete)
    finally:
        server.stop()


def test_it_says_what_to_install_where_a_package_is_missing(
    incomplete: str, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("no") / "home"
    one = {"AIRFLOW__API__WORKERS": "1"}  # each worker process has a log line of its own
    server = start_server(install(incomplete, wheel), home, way="entrypoint", environment=one)
    try:
        assert server.request("/../../api/v2/monitor/health", headers={}).status == 200
        for path in ("", "/", "/api/v1.0/health", "/api/v1.0/version", "/api?api=version"):
            for method in ("GET", "POST"):
                reply = server.request(path, method)
                assert (reply.status, reply["status"]) == (503, "ERROR"), reply.text
                assert "pip install 'airflow-remote[server]'" in reply["output"]
                assert reply["error"] == {"type": "Unavailable", "message": reply["output"]}
        head = server.request("/", "HEAD")
        assert (head.status, head.text) == (503, "")
        wait_until("the log says it", lambda: "REST API answers 503" in server.read_log(500))
        log = re.sub(r"\x1b\[[0-9;]*m", "", (home / "server.log").read_text())
        assert log.count("The REST API answers 503") == 1
        assert "Traceback" not in log
        assert TOKEN not in log
    finally:
        server.stop()
