"""The fork server, with the real Airflow: commands do not affect each other."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import find_fork_servers, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe_dag import MakeProbe
    from remote import Remote

pytestmark = pytest.mark.slow


def test_command_leaves_no_state_for_the_next_one(remote: Remote, make_probe: MakeProbe) -> None:
    results = [json.loads(remote.run(make_probe("stick")).json["stdout"].splitlines()[0]) for _ in range(4)]
    states, numbers = zip(*results, strict=True)
    for state in states:
        assert [lock for lock in state.pop("locks") if "/slot-" not in lock] == []
        assert state == states[0]
    assert (states[0]["env"], states[0]["sockets"], states[0]["files"]) == (None, [], [])
    assert (states[0]["path"], states[0]["modules"]) == (False, False)
    assert states[0]["cwd"] is states[0]["session"] is True
    assert states[0]["stdin"] == "/dev/null"
    assert len(set(numbers)) == len(numbers), "each command gets its own random numbers"


def test_fork_server_has_one_thread_and_no_database_connection(remote: Remote) -> None:
    assert remote("variables", "POST", data={"cmd": "set", "key": "k", "value": "v"}).status_code == 200
    [fork_server] = find_fork_servers(remote.settings.state_dir)
    assert len([*Path(f"/proc/{fork_server}/task").iterdir()]) == 1
    descriptors = Path(f"/proc/{fork_server}/fd").iterdir()
    files = [str(entry.readlink()) for entry in descriptors if entry.is_symlink()]
    assert not [file for file in files if "airflow.db" in file or "jobs.db" in file]


def test_socket_is_private(remote: Remote) -> None:
    assert remote("version").status_code == 200
    folder = remote.settings.state_dir / "host"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [socket] = folder.glob("*.sock")
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_modules_that_a_command_imports_are_preloaded_for_the_next_one(
    make_remote: Callable[..., Remote], make_probe: MakeProbe
) -> None:
    remote = make_remote()

    def run_and_list_imports() -> list[str]:
        job_id = remote.run(make_probe("say", "hello")).json["job"]["id"]
        file = remote.settings.state_dir / "jobs" / job_id / "modules.json"
        return list(json.loads(file.read_text())) if file.exists() else []

    first = run_and_list_imports()
    assert "probes" not in str(first), "a user's code is never preloaded"
    wait_for(lambda: not set(first) & set(run_and_list_imports()))
