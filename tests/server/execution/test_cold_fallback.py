"""Commands run cold if no fork server can start, with the real Airflow."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from processes import find_fork_servers, kill, wait_for

from airflow_remote_server.execution import client, start_failures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from remote import Remote

pytestmark = pytest.mark.slow

IN_FORK_SERVER = """
import os, sys, time
if "airflow_remote_server.execution.fork_server_main" in sys.orig_argv:
    {}
"""
"""An Airflow plugin that runs a statement in a fork server only."""

LEAVE_A_CHILD = """pid = os.fork()
    if not pid:
        time.sleep(600)
        os._exit(0)
    open({!r}, "w").write(str(pid))
    raise SystemExit("no fork server today")"""


def test_plugin_that_starts_a_thread_makes_commands_run_cold_and_is_logged_once(
    make_remote: Callable[..., Remote],
    state: Path,
    write_home_file: Callable[[str, str], Path],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start_failures, "FIRST_SECONDS", 600.0)  # two cold commands may take longer than 15 s
    write_home_file(
        "plugins/thread.py",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    )
    remote = make_remote()
    for _ in range(2):
        assert remote("version").status_code == 200
    assert caplog.text.count("commands run cold") == 1
    assert "plugin started a thread" in caplog.text
    wait_for(lambda: not find_fork_servers(state))


@pytest.mark.parametrize("how", ["raises", "exits", "leaves a child that holds its lock"])
def test_fork_server_that_fails_to_start_is_noticed_at_once_and_not_restarted_for_a_while(
    make_remote: Callable[..., Remote],
    state: Path,
    write_home_file: Callable[[str, str], Path],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = tmp_path / "child"
    code = {
        "raises": "raise SystemExit('no fork server today')",
        "exits": "print('no fork server today', file=sys.stderr, flush=True); os._exit(3)",
        "leaves a child that holds its lock": LEAVE_A_CHILD.format(str(child)),
    }[how]
    # A busy machine may need longer than the first pause for one cold command.
    monkeypatch.setattr(start_failures, "FIRST_SECONDS", 600.0)
    plugin = write_home_file("plugins/broken.py", IN_FORK_SERVER.format(code))
    remote = make_remote()
    try:
        started = time.monotonic()
        assert remote("version").status_code == 200
        assert time.monotonic() - started < client.START_SECONDS, (
            "the request waited for a process that had ended"
        )
        assert "no fork server today" in caplog.text
        assert caplog.text.count("commands run cold") == 1
        [failed] = state.rglob("*.failed")
        assert json.loads(failed.read_text())["starts"] == 1
        caplog.clear()
        assert make_remote()("version").status_code == 200, "another worker runs the command cold, too"
        assert "no fork server today" in caplog.text
        assert json.loads(failed.read_text())["starts"] == 1
    finally:
        if child.exists():
            kill(int(child.read_text()))
    plugin.write_text("")
    caplog.clear()
    monkeypatch.setattr(client, "FINGERPRINT_SECONDS", -1.0)  # a worker reuses the fingerprint for a while
    assert remote("version").status_code == 200, "a new configuration gets a fork server at once"
    assert len(find_fork_servers(state)) == 1
    assert "commands run cold" not in caplog.text


def test_directory_that_cannot_be_created_is_logged_once(
    make_remote: Callable[..., Remote], cold_state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remote = make_remote()
    for _ in range(2):
        assert remote("version").status_code == 200
    assert caplog.text.count("commands run cold") == 1
    assert str(cold_state / "host") in caplog.text
