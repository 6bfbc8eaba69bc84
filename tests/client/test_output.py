from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment
from hypothesis import given
from hypothesis import strategies as st
from stub import envelope

from airflow_remote.exit_status import ExitStatus
from airflow_remote.output import one_line

NOBODY_READS = "a pipe whose reading end is closed"


@pytest.fixture
def broken_pipe():
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


HOSTILE = "é🙂\r\n\x1b[31mred\x1b[0m\0 no end"


def test_output_is_written_byte_for_byte(run, stub):
    stub.answer(envelope(stdout=HOSTILE, stderr=f"{HOSTILE}!"))
    ended = run("version")
    assert (ended.stdout, ended.stderr) == (HOSTILE.encode(), f"{HOSTILE}!".encode())


def test_output_is_utf_8_whatever_the_locale_is(stub, start):
    stub.answer(envelope(stdout=HOSTILE, stderr="é"))
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    out, err = start("--url", stub.url, "version", env=env).communicate(timeout=30)
    assert (out, err) == (HOSTILE.encode(), "é".encode())


def test_what_utf_8_does_not_have_is_escaped(run, stub):
    stub.answer(b'{"status": "OK", "output": "", "stdout": "a\\ud800b"}')
    assert run("version").stdout == b"a\\ud800b"
    assert b'"stdout": "a\\ud800b"' in run("--json", "version").stdout


def test_nothing_is_added_to_a_command_that_prints_nothing(run, stub):
    stub.answer(envelope(output="", stdout="", stderr=""))
    ended = run("clear", "x")
    assert (ended.status, ended.stdout, ended.stderr) == (0, b"", b"")


def test_a_warning_is_one_line_on_standard_error(run, stub):
    stub.answer(envelope(stderr="log", warning="two\nlines\x1b[31m"))
    ended = run("version")
    assert ended.out == "1.7.0\n"
    assert ended.err == "log\nairflow-remote: warning: two lines [31m\n"


@given(text=st.text())
def test_a_line_of_ours_is_one_line_and_steers_no_terminal(text):
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line


@pytest.mark.parametrize(
    "words", [["version"], ["--json", "version"], ["--help"], ["version", "--help"], ["--version"]]
)
def test_a_reader_that_has_gone_ends_it_quietly(stub, start, broken_pipe, words):
    process = start("--url", stub.url, *words, stdout=broken_pipe)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == ExitStatus.CLOSED_PIPE == 128 + 13


def test_a_reader_of_standard_error_that_has_gone_ends_it_too(stub, start, broken_pipe):
    stub.answer(envelope(stderr="log"))
    process = start("--url", stub.url, "version", stderr=broken_pipe)
    assert process.communicate(timeout=30)[0] == b"1.7.0\n"
    assert process.returncode == ExitStatus.CLOSED_PIPE


def test_an_error_that_nobody_can_read_keeps_its_exit_status(start, broken_pipe):
    process = start("trigger_dag", stderr=broken_pipe)
    process.communicate(timeout=30)
    assert process.returncode == ExitStatus.USAGE


@pytest.mark.parametrize("words", [["version"], ["--help"]])
def test_a_full_disk_is_told_in_one_line(stub, start, words):
    with Path("/dev/full").open("wb") as full:
        process = start("--url", stub.url, *words, stdout=full)
        said = process.communicate(timeout=30)[1].decode()
    assert process.returncode == ExitStatus.LOCAL_FILE
    assert len(said.splitlines()) == 1
    assert said.startswith("airflow-remote: cannot write")
    assert "No space left on device" in said


def test_standard_output_that_is_closed_is_told(stub):
    line = [sys.executable, "-m", "airflow_remote.cli", "--url", stub.url, "version"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *line],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitStatus.LOCAL_FILE
    assert done.stderr == "airflow-remote: cannot write to standard output: it is closed\n"
