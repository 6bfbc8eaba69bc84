"""Processes that run several commands: they are fast, and nothing that a command changes reaches another."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sticky_backend
from processes import children_of, find_fork_servers, wait_for

from airflow_remote_server.integrations.core_commands import is_core_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe_dag import MakeProbe
    from remote import Remote

CHANGES = {
    "thread": "",
    "child": "",
    "file": "sticky_backend_of_tests.handle, open files",
    "environment": "environment (STICKY)",
    "umask": "umask",
    "signal": "signal handlers",
    "timer": "signal handlers",
    "log_level": "logging",
    "log_handler": "logging",
    "warnings": "warnings",
    "import_path": "import path",
    "modules": "modules (sticky_module)",
    "builtins": "builtins (sticky)",
    "stream": "open files, standard streams",
    "excepthook": "interpreter settings",
    "exit_handler": "interpreter settings",
    "limit": "process limits",
    "socket_timeout": "interpreter settings",
    "collector": "interpreter settings",
    "airflow": "airflow.settings.STICKY",
    "user_module": "sticky_backend_of_tests.kept",
    "transaction": "database transaction",
}
"""The changes of ``sticky_backend``, and what the log says of them; nothing of threads and children."""


@pytest.fixture
def sticky_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the backend in the processes of this test."""
    (home / "config" / "sticky_backend_of_tests.py").write_text(sticky_backend.SOURCE)
    monkeypatch.setenv("PYTHONPATH", f"{home / 'config'}", prepend=os.pathsep)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "sticky_backend_of_tests.StickyBackend")


@pytest.fixture
def sticky(sticky_home: None, remote: Remote) -> Callable[[str], int]:
    """Return a function that gets a variable, and returns the process ID of the command."""

    def get(key: str) -> int:
        response = remote(f"commands/variables/get?key={key}")
        assert response.status_code == 200, response.text
        return int(json.loads(response.json["stdout"].splitlines()[-1])["pid"])

    return get


def get_reused(get: Callable[[str], int]) -> int:
    """Run commands until one has run in the process of an earlier one, and return its process ID."""
    seen = set[int]()

    def find_again() -> int:
        pid = get("change_nothing")
        if pid in seen:
            return pid
        seen.add(pid)
        return 0

    return int(wait_for(find_again))


def pid_of(remote: Remote, job: str) -> int:
    """Return the process ID of a command.

    :param job: the ID of its job
    """
    record = json.loads((remote.settings.state_dir / "jobs" / job / "process").read_text())
    return int(record["pid"])


def log_of(remote: Remote) -> str:
    """Return the logs of the fork servers."""
    return "".join(path.read_text() for path in (remote.settings.state_dir / "host").glob("*.log"))


@pytest.mark.slow
@pytest.mark.parametrize(("change", "reason"), CHANGES.items())
def test_process_that_a_command_changes_runs_no_other_command(
    sticky: Callable[[str], int], remote: Remote, change: str, reason: str
) -> None:
    message = f"its command has changed: {reason}"
    before = log_of(remote).count(message)
    pid = sticky(f"change_{change}")
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    assert sticky("change_nothing") != pid
    if reason:
        assert log_of(remote).count(message) > before


@pytest.mark.slow
def test_process_runs_several_commands(sticky: Callable[[str], int]) -> None:
    assert Path(f"/proc/{get_reused(sticky)}").exists()


@pytest.mark.slow
def test_command_with_user_code_gets_a_process_of_its_own(
    sticky: Callable[[str], int], remote: Remote, make_probe: MakeProbe
) -> None:
    pid = get_reused(sticky)
    job = remote.run(make_probe("say", "hello")).json["job"]["id"]
    assert pid_of(remote, job) != pid


@pytest.mark.slow
def test_process_that_is_killed_while_it_waits_is_replaced(sticky: Callable[[str], int]) -> None:
    pid = get_reused(sticky)
    os.kill(pid, signal.SIGKILL)
    assert {sticky("change_nothing") for _ in range(3)}.isdisjoint({pid})


@pytest.mark.slow
def test_every_command_gets_a_process_of_its_own_if_none_may_wait(
    make_remote: Callable[..., Remote], database: None
) -> None:
    remote = make_remote(max_workers=0)
    jobs = [remote("version").json["job"]["id"] for _ in range(4)]
    assert len({pid_of(remote, job) for job in jobs}) == len(jobs)


@pytest.mark.slow
def test_number_of_processes_that_wait_is_limited(make_remote: Callable[..., Remote], database: None) -> None:
    from concurrent.futures import ThreadPoolExecutor

    remote = make_remote(max_workers=2)
    assert remote("version").status_code == 200
    with ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(lambda _: remote("version"), range(24))} == {200}
    [fork_server] = find_fork_servers(remote.settings.state_dir)
    wait_for(lambda: len(children_of(fork_server)) <= 2 + 1)  # and one that has run nothing


@pytest.mark.slow
def test_output_and_failures_belong_to_their_own_command(remote: Remote, database: None) -> None:
    assert remote("commands/pools/get?pool=default_pool").json["status"] == "OK"
    missing = remote("commands/pools/get?pool=missing_pool")
    assert missing.status_code == 404
    assert remote("version").json["stderr"] == ""
    job = missing.json["job"]["id"]
    assert remote(f"jobs/{job}").json["state"] == "failed"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["version"], True),
        (["pools", "list", "--output=json"], True),
        (["dags", "trigger", "--conf={}", "--", "dag"], True),
        (["dags", "trigger", "--subdir=/dags", "--", "dag"], False),
        (["dags", "trigger", "--", "--subdir=x"], True),
        (["dags", "test", "--", "dag"], False),
        (["tasks", "list", "--", "dag"], False),
        (["db", "clean"], False),
        ([], False),
    ],
)
def test_core_commands(argv: list[str], expected: bool) -> None:
    assert is_core_command(argv) is expected
