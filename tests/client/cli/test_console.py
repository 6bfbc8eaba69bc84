"""Output to pipes, files and closed streams."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.cli.console import one_line
from airflow_remote.exit_status import ExitStatus
from client.program import PATIENCE, Run, Start, environment
from client.responses import envelope
from client.stub import Stub


@pytest.fixture
def broken_pipe() -> Iterator[int]:
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


HOSTILE = "é🙂\r\n\x1b[31mred\x1b[0m\0 no end"


def test_output_is_written_byte_for_byte(run: Run, stub: Stub) -> None:
    stub.respond(envelope(stdout=HOSTILE, stderr=f"{HOSTILE}!"))
    completed = run("version")
    assert (completed.stdout, completed.stderr) == (HOSTILE.encode(), f"{HOSTILE}!".encode())


def test_output_is_utf_8_in_every_locale(stub: Stub, start: Start) -> None:
    stub.respond(envelope(stdout=HOSTILE, stderr="é"))
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    out, err = start("--url", stub.url, "version", env=env).communicate(timeout=PATIENCE)
    assert (out, err) == (HOSTILE.encode(), "é".encode())


def test_lone_surrogate_is_escaped(run: Run, stub: Stub) -> None:
    stub.respond(b'{"status": "OK", "output": "", "stdout": "a\\ud800b"}')
    assert run("version").stdout == b"a\\ud800b"
    assert b'"stdout": "a\\ud800b"' in run("--json", "version").stdout


def test_silent_command_prints_nothing(run: Run, stub: Stub) -> None:
    stub.respond(envelope(output="", stdout="", stderr=""))
    completed = run("clear", "x")
    assert (completed.status, completed.stdout, completed.stderr) == (0, b"", b"")


def test_warning_is_one_line_on_standard_error(run: Run, stub: Stub) -> None:
    stub.respond(envelope(stderr="log", warning="two\nlines\x1b[31m"))
    completed = run("version")
    assert completed.out == "1.7.0\n"
    assert completed.err == "log\nairflow-remote: warning: two lines [31m\n"


@given(text=st.text())
def test_message_is_one_line_without_control_characters(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line


@pytest.mark.parametrize(
    "words", [["version"], ["--json", "version"], ["--help"], ["version", "--help"], ["--version"]]
)
def test_closed_pipe_ends_the_program_silently(
    stub: Stub, start: Start, broken_pipe: int, words: list[str]
) -> None:
    process = start("--url", stub.url, *words, stdout=broken_pipe)
    assert process.communicate(timeout=PATIENCE)[1] == b""
    assert process.returncode == ExitStatus.CLOSED_PIPE == 128 + 13


def test_closed_standard_error_ends_the_program(stub: Stub, start: Start, broken_pipe: int) -> None:
    stub.respond(envelope(stderr="log"))
    process = start("--url", stub.url, "version", stderr=broken_pipe)
    assert process.communicate(timeout=PATIENCE)[0] == b"1.7.0\n"
    assert process.returncode == ExitStatus.CLOSED_PIPE


def test_closed_standard_error_keeps_the_exit_status_of_an_error(start: Start, broken_pipe: int) -> None:
    process = start("trigger_dag", stderr=broken_pipe)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitStatus.USAGE


@pytest.mark.parametrize("words", [["version"], ["--help"]])
def test_full_disk_is_one_line(stub: Stub, start: Start, words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("--url", stub.url, *words, stdout=full)
        message = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == ExitStatus.LOCAL_FILE
    assert len(message.splitlines()) == 1
    assert message.startswith("airflow-remote: cannot write")
    assert "No space left on device" in message


def test_closed_standard_output_is_reported(stub: Stub) -> None:
    line = [sys.executable, "-m", "airflow_remote.cli.start", "--url", stub.url, "version"]
    process = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *line],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == ExitStatus.LOCAL_FILE
    assert process.stderr == "airflow-remote: cannot write to standard output: it is closed\n"
