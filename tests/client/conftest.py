"""Fixtures of the client's tests: servers, and the program called in this process or started as its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from stub import serving, serving_live, serving_raw

import airflow_remote
from airflow_remote import following, patience
from airflow_remote.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stub import LiveStub, RawStub, Stub

NOBODY = "http://127.0.0.1:1"
SOURCES = Path(airflow_remote.__file__).resolve().parent.parent

hypothesis.settings.register_profile("client", deadline=None, max_examples=60)
hypothesis.settings.load_profile("client")


@dataclass
class Ended:
    """How a call of the program ended."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    def says(self) -> str:
        """The one line that the program says for itself; nothing else was printed."""
        [line] = self.lines()
        return line

    def lines(self) -> list[str]:
        """The lines that the program says for itself; nothing else was printed."""
        assert self.stdout == b""
        lines = self.err.splitlines()
        begin = "airflow-remote: "
        assert all(line.startswith(begin) for line in lines)
        assert self.err == "".join(f"{line}\n" for line in lines)
        return [line[len(begin) :] for line in lines]

    def gives_up(self) -> str:
        """The last line that the program says; those before it say that something is tried again."""
        *before, last = self.lines()
        assert all(line.endswith("; trying again") for line in before)
        assert len(before) <= 1
        return last


def call(*argv: str) -> Ended:
    """Call the program in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    return Ended(int(status), out.buffer.getvalue(), err.buffer.getvalue())


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES), **more}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No settings of the user's, a cache that is empty, and a server that is not there."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_REMOTE_", "_AIRFLOW_REMOTE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AIRFLOW_REMOTE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("AIRFLOW_REMOTE_URL", NOBODY)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a server that is not going to be well again."""
    monkeypatch.setattr(patience, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(following, "REST_SECONDS", 0.02)


@pytest.fixture(scope="session")
def shared_stub() -> Iterator[Stub]:
    with serving() as stub:
        yield stub


@pytest.fixture
def stub(shared_stub: Stub) -> Stub:
    """A server that answers like the API, until it is told otherwise."""
    shared_stub.reset()
    return shared_stub


@pytest.fixture(scope="session")
def raw_stub() -> Iterator[RawStub]:
    """A server that sends bytes."""
    with serving_raw() as stub:
        yield stub


@pytest.fixture
def live_stub() -> Iterator[LiveStub]:
    """A server that streams when it is told to."""
    with serving_live() as stub:
        yield stub


@pytest.fixture
def run(stub: Stub) -> Callable[..., Ended]:
    """Call the program for the stub."""
    return lambda *argv: call("--url", stub.url, *argv)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the program as a process; one that still runs is killed in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*argv: str, env: dict[str, str] | None = None, **how: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "airflow_remote.cli", *argv]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
        process = subprocess.Popen(command, env=environment(**(env or {})), **pipes)  # type: ignore[call-overload]
        started.append(process)
        return process  # type: ignore[no-any-return]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
