"""``make run ONCE=1``: the quick start of the README on this machine."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from live.harness import ROOT, VERSIONS
from live.ports import free_port

Runs = dict[str, tuple[int, subprocess.CompletedProcess[str]]]


def make_run(version: str) -> tuple[int, subprocess.CompletedProcess[str]]:
    port = free_port()
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "MAKE", "MFLAGS"))
    }
    done = subprocess.run(
        ["make", "run", "ONCE=1", f"PORT={port}", f"AIRFLOW={version[0]}"],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    return port, done


@pytest.fixture(scope="module")
def demonstrations() -> Runs:
    with ThreadPoolExecutor() as pool:
        return dict(zip(VERSIONS, pool.map(make_run, VERSIONS)))


@pytest.mark.parametrize("version", VERSIONS)
def test_it_runs_the_demonstration_and_ends(demonstrations: Runs, version: str) -> None:
    port, done = demonstrations[version]
    assert done.returncode == 0, done.stdout + done.stderr
    output = done.stdout
    assert f"$ airflow-remote version\n{VERSIONS[version]}\n" in output
    triggered = re.search(
        r'^\$ airflow-remote trigger_dag hello_remote .*\n(\[\{.*"name": "you".*)$', output, re.M
    )
    assert triggered is not None, output
    assert '"state": "queued"' in triggered[1]
    base = f"http://127.0.0.1:{port}/admin/rest_api"
    assert re.search(
        rf'curl --header "rest_api_plugin_http_token: \S+" {base}/api/v1.0/version$', output, re.M
    )
    assert f"Page:  {base}/\n" in output


@pytest.mark.parametrize("version", VERSIONS)
def test_it_leaves_nothing_running(demonstrations: Runs, version: str) -> None:
    port, done = demonstrations[version]
    assert done.returncode == 0
    # Only a process that is left over could listen on the port.
    connected = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", f"http://127.0.0.1:{port}/"], capture_output=True, check=False
    )
    assert connected.returncode == 7  # curl: failed to connect
