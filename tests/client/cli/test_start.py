"""A run of the program imports and sends only what it needs, and ends at once with all of its output."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_remote
from airflow_remote.cli import start
from client.program import PATIENCE, Start, environment
from client.responses import envelope
from client.stub import Stub

FORBIDDEN = {"airflow", "airflow_remote_server", "werkzeug", "flask"}
NETWORK = {"requests", "urllib3", "http", "socket", "ssl", "email"}
"""Modules for requests, which take longer to import than all others. Without ``socket``, nothing is sent."""

PRINT_IMPORTED_MODULES = """
import os, sys
from airflow_remote.cli.main import main
status = main(sys.argv[1:])
sys.stdout.flush()
os.write(2, " ".join(sorted({name.partition(".")[0] for name in sys.modules})).encode())
sys.exit(status)
"""


def imported_modules(*argv: str, **variables: str) -> set[str]:
    """Run the program, and return the top-level modules that it has imported.

    Its coverage is not measured, since this imports modules as well.
    """
    variables = environment(**variables)
    variables.pop("COVERAGE_PROCESS_CONFIG", None)
    process = subprocess.run(
        [sys.executable, "-c", PRINT_IMPORTED_MODULES, *argv],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(process.stderr.split())


# Imports and requests.


def test_airflow_and_the_server_are_not_imported(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "dag.py").write_text("pass")
    modules = imported_modules("--url", stub.url, "deploy_dag", str(tmp_path / "dag.py"))
    assert "requests" in modules
    assert not FORBIDDEN & modules


@pytest.mark.parametrize(
    "line",
    [["--help"], ["--version"], ["trigger_dag", "--help"], ["dags", "--help"], ["dags", "trigger", "--help"]],
    ids=" ".join,
)
def test_help_does_not_connect(live: Stub, line: list[str]) -> None:
    modules = imported_modules("--url", live.url, *line)
    assert "click" in modules
    assert not (NETWORK | FORBIDDEN) & modules


@pytest.mark.parametrize(
    "words", ["airflow-remote ", "airflow-remote dags tr", "airflow-remote dags trigger --"]
)
def test_completion_does_not_connect(live: Stub, words: str) -> None:
    index = str(len(words.split(" ")) - 1)
    modules = imported_modules(
        AIRFLOW_REMOTE_URL=live.url,
        _AIRFLOW_REMOTE_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=index,
    )
    assert "click" in modules
    assert not (NETWORK | FORBIDDEN) & modules


def test_cached_command_needs_one_request(live: Stub, start: Start) -> None:
    live.catalog_requests.clear()
    process = start("--url", live.url, "dags", "trigger", "X")
    assert process.communicate(timeout=PATIENCE)[1] == b""
    assert process.returncode == 0
    assert [request.path.rpartition("/commands/")[2] for request in live.requests] == ["dags/trigger"]
    assert live.catalog_requests == []


def test_no_source_file_imports_airflow_or_the_server() -> None:
    modules: set[str] = set()
    for path in Path(airflow_remote.__file__).parent.rglob("*.py"):
        modules |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text("utf-8"), re.MULTILINE))
    assert {"airflow_remote", "requests"} <= modules
    assert not FORBIDDEN & modules


# The end.


def test_output_is_complete(stub: Stub, start: Start) -> None:
    text = "0123456789abcde\n" * 2**18
    stub.respond(envelope(stdout=text, stderr="the end\n", exit_code=0))
    process = start("--url", stub.url, "version")
    assert process.communicate(timeout=PATIENCE) == (text.encode(), b"the end\n")
    assert process.returncode == 0


def test_exit_status_is_the_same_if_the_output_cannot_be_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def flush(self) -> None:
            raise OSError

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(SystemExit) as raised:
        start.exit_at_once(74)
    assert raised.value.code == 74
