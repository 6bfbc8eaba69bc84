"""Fixtures of the client's tests: stub servers, and the program for them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import hypothesis
import pytest
from contract import commands

from airflow_remote.api import run_watch, tail, task_log
from airflow_remote.http import retry
from airflow_remote.http.certificates import VARIABLES
from client.program import UNREACHABLE_URL, CompletedRun, Run, Start, Stream, call, start_process
from client.raw_stub import LiveStub, RawStub, serve_live_stub, serve_raw_stub
from client.stub import Stub, serve_stub
from client.tls import Certificates, make_certificates

hypothesis.settings.register_profile("client", deadline=None, max_examples=60)
hypothesis.settings.load_profile("client")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Remove the user's settings, and set an empty cache and an unreachable server."""
    for name in list(os.environ):
        own = name.startswith(("AIRFLOW_REMOTE_", "_AIRFLOW_REMOTE_"))
        if own or name in VARIABLES or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AIRFLOW_REMOTE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", UNREACHABLE_URL)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without pauses, because no stub server recovers with time."""
    monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(tail, "MIN_ROUND_SECONDS", 0.02)
    monkeypatch.setattr(run_watch, "MIN_SECONDS", 0.01)
    monkeypatch.setattr(task_log, "POLL_SECONDS", 0.01)


@pytest.fixture(scope="session")
def shared_stub() -> Iterator[Stub]:
    """Return the stub server of all tests, in the state that the last test left."""
    with serve_stub() as stub:
        yield stub


@pytest.fixture
def stub(shared_stub: Stub) -> Stub:
    """Return the stub server, reset: it answers each command with a success."""
    shared_stub.reset()
    return shared_stub


@pytest.fixture(scope="session")
def raw_stub() -> Iterator[RawStub]:
    """Return a server that sends raw bytes."""
    with serve_raw_stub() as stub:
        yield stub


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates that no default CA bundle contains."""
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def tls_stub(certificates: Certificates) -> Iterator[RawStub]:
    """Return a server that sends raw bytes over TLS, with a certificate of an unknown authority."""
    with serve_raw_stub(certificates.context()) as stub:
        yield stub


@pytest.fixture
def live_stub() -> Iterator[LiveStub]:
    """Return a server that streams one response step by step."""
    with serve_live_stub() as stub:
        yield stub


@pytest.fixture
def run(stub: Stub) -> Run:
    """Return a function that calls the program for the stub server."""

    def run(*argv: str) -> CompletedRun:
        return call("--url", stub.url, *argv)

    return run


@pytest.fixture
def live(stub: Stub, run: Run) -> Stub:
    """Return the stub server with live commands, whose catalog is in the cache."""
    stub.catalog = commands()
    run("--help")
    return stub


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts the program as a process, which is killed at the end of the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(
        *argv: str,
        env: dict[str, str] | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.PIPE,
        stderr: Stream = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        process = start_process(*argv, env=env, stdin=stdin, stdout=stdout, stderr=stderr)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
