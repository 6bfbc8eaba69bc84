"""The warm host with the real Airflow: what is fast about it must not show in any other way."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import end_all, hosts, kill, wait_for

from airflow_remote_server.api import make_jobs
from airflow_remote_server.runner.cold import ColdRunner
from airflow_remote_server.runner.warm import WarmRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deeds import Deed
    from remote import Remote

    Make = Callable[..., Deed]

pytestmark = pytest.mark.slow


@pytest.fixture
def write(home: Path) -> Iterator[Callable[[str, str], Path]]:
    """Write a file into AIRFLOW_HOME for the time of a test."""
    kept: dict[Path, str | None] = {}

    def call(name: str, text: str) -> Path:
        path = home / name
        kept.setdefault(path, path.read_text() if path.exists() else None)
        path.write_text(text)
        return path

    yield call
    for path, text in kept.items():
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("version", {}),
        ("pool", {"get": "default_pool"}),
        ("pool", {"get": "no_such_pool"}),
        ("list_tasks", {"dag_id": "no_such_dag"}),
        ("variables", {"get": "no_such_variable"}),
    ],
)
def test_a_command_answers_as_a_cold_one_does(
    remote: Remote, make_remote: Any, cold_state: Path, name: str, query: dict[str, str]
) -> None:
    warm = remote(name, query_string=query)
    cold = make_remote(state_dir=cold_state)(name, query_string=query)
    assert warm.status_code == cold.status_code
    for field in ("airflow_cmd", "output", "stdout", "exit_code", "result", "error", "warning"):
        assert warm.json.get(field) == cold.json.get(field)


def test_nothing_sticks_from_one_command_to_the_next(remote: Remote, make_deed: Make) -> None:
    found = [json.loads(remote.run(make_deed("stick")).json["stdout"].splitlines()[0]) for _ in range(4)]
    states, numbers = zip(*found, strict=True)
    for state in states:
        assert [lock for lock in state.pop("locks") if "/slot-" not in lock] == []
        assert state == states[0]
    assert (states[0]["env"], states[0]["sockets"], states[0]["files"]) == (None, [], [])
    assert (states[0]["path"], states[0]["modules"]) == (False, False)
    assert states[0]["cwd"] is states[0]["session"] is True
    assert states[0]["stdin"] == "/dev/null"
    assert len(set(numbers)) == len(numbers), "each has random numbers of its own"


def test_the_host_has_one_thread_and_no_connection(remote: Remote) -> None:
    assert remote("variables", "POST", data={"cmd": "set", "key": "k", "value": "v"}).status_code == 200
    [host] = hosts(remote.settings.state_dir)
    assert len([*Path(f"/proc/{host}/task").iterdir()]) == 1
    files = [str(entry.readlink()) for entry in Path(f"/proc/{host}/fd").iterdir() if entry.is_symlink()]
    assert not [file for file in files if "airflow.db" in file or "jobs.db" in file]


def test_the_way_to_the_host_is_private(remote: Remote) -> None:
    assert remote("version").status_code == 200
    folder = remote.settings.state_dir / "host"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [socket] = folder.glob("*.sock")
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_what_a_command_imports_is_imported_for_the_next(make_remote: Any, make_deed: Make) -> None:
    remote = make_remote()

    def had_to_import() -> list[str]:
        job_id = remote.run(make_deed("say", "hello")).json["job"]["id"]
        found = remote.settings.state_dir / "jobs" / job_id / "modules.json"
        return list(json.loads(found.read_text())) if found.exists() else []

    first = had_to_import()
    assert "deeds" not in str(first), "but never code of a user's"
    wait_for(lambda: not set(first) & set(had_to_import()))


def test_one_host_for_many_workers_at_once(make_remote: Any, state: Path, database: None) -> None:
    from airflow import __version__ as airflow_version

    remotes = [make_remote() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda remote: remote("version"), remotes))
    assert [response.json["output"] for response in responses] == [airflow_version] * 8
    assert len(hosts(state)) == 1


def test_a_host_can_be_there_before_the_first_request(
    make_settings: Any, make_remote: Any, state: Path
) -> None:
    jobs = make_jobs(make_settings())
    begun = time.monotonic()
    jobs.prepare()
    assert time.monotonic() < begun + 3, "nobody waits for it"
    wait_for(lambda: [*(state / "host").glob("*.sock")])
    [host] = hosts(state)
    jobs.prepare()
    assert make_remote()("version").status_code == 200
    assert hosts(state) == [host]


def test_an_outdated_host_is_replaced_and_no_request_fails(
    make_remote: Any,
    make_deed: Make,
    state: Path,
    home: Path,
    write: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), os.environ["PYTHONPATH"]]))
    remote = make_remote()
    changes: list[Callable[[], object]] = [
        lambda: (packages / "installed.dist-info").mkdir(),
        lambda: write("plugins/new_plugin.py", "print('a plugin')\n"),
        lambda: write("airflow.cfg", (home / "airflow.cfg").read_text() + "\n# changed\n"),
    ]
    deed = make_deed("wait")
    job_id = remote.begin(deed)
    first = [before] = hosts(state)
    for change in changes:
        change()

        def replaced(before: int = before) -> list[int]:
            assert remote("version").status_code == 200
            return [pid for pid in hosts(state) if pid not in (before, *first)]

        [before] = wait_for(replaced)
    wait_for(lambda: set(hosts(state)) == {before, *first})  # the first one has something to do
    deed.go()
    assert remote.end(job_id)["state"] == "succeeded"
    wait_for(lambda: hosts(state) == [before])
    # Another environment means another host as well, and its commands have it.
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "7")
    wait_for(lambda: '"7"' in remote.run(make_deed("env", "AIRFLOW__CORE__PARALLELISM")).json["stdout"])
    wait_for(lambda: len(hosts(state)) == 1 and before not in hosts(state))  # nobody needs the former one


WORKER = Path(__file__).with_name("worker.py")


@pytest.mark.parametrize("killed", [False, True])
def test_a_host_ends_with_its_servers_when_its_commands_are_done(
    make_deed: Make, make_remote: Any, state: Path, major: int, killed: bool
) -> None:
    deed = make_deed("wait")
    with subprocess.Popen([sys.executable, WORKER, str(state), deed.id, str(major)]) as worker:
        wait_for(lambda: deed.processes)
        [host] = hosts(state)
        if killed:
            worker.kill()
            worker.wait()
            assert hosts(state) == [host]  # the command is not done
        deed.go()
    wait_for(lambda: not hosts(state))
    [job] = (state / "jobs").iterdir()
    assert json.loads((job / "exit.json").read_text())["exit_code"] == 0
    assert make_remote().jobs()[0]["state"] == "succeeded"


def test_a_host_ends_with_the_last_server_of_its_environment(
    make_deed: Make, state: Path, major: int
) -> None:
    """Another server of the same state directory, with other variables, has a host of its own."""
    deeds = [make_deed("wait") for _ in range(3)]

    def worker(deed: Deed, parallelism: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "AIRFLOW__CORE__PARALLELISM": parallelism}
        return subprocess.Popen([sys.executable, WORKER, str(state), deed.id, str(major)], env=env)

    with worker(deeds[0], "7") as old:
        wait_for(lambda: deeds[0].processes)
        [former] = hosts(state)
        with worker(deeds[1], "8") as new:
            wait_for(lambda: deeds[1].processes)
            [latter] = set(hosts(state)) - {former}
            old.kill()
            old.wait()
            with worker(deeds[2], "8"):
                wait_for(lambda: deeds[2].processes)
                assert set(hosts(state)) == {former, latter}, "its command is not done"
                deeds[0].go()
                wait_for(lambda: hosts(state) == [latter])
                deeds[1].go()
                assert new.wait() == 0
                deeds[2].go()
    wait_for(lambda: not hosts(state))
    ends = [json.loads((job / "exit.json").read_text())["exit_code"] for job in (state / "jobs").iterdir()]
    assert ends == [0, 0, 0]


def test_a_killed_host_loses_no_command(make_remote: Any, make_deed: Make, state: Path) -> None:
    remote = make_remote(max_running=2)
    running, queued = [make_deed("wait") for _ in range(2)], [make_deed("say", "x") for _ in range(2)]
    jobs = [remote.begin(deed) for deed in running] + [remote.start(deed) for deed in queued]
    [host] = hosts(state)
    with ThreadPoolExecutor(1) as pool:
        waiting = make_deed("say", "waits")
        response = pool.submit(remote.run, waiting, PREFER="wait=100")
        wait_for(lambda: len(remote.jobs(state="queued")) == 3)
        kill(host)
        for deed in running:
            deed.go()
        assert [remote.end(job_id, seconds=100)["state"] for job_id in jobs] == ["succeeded"] * 4
        assert response.result().status_code == 200
    assert [len(deed.processes) for deed in (*running, *queued, waiting)] == [1] * 5
    assert [remote.output(job_id)["data"].split()[:2] for job_id in jobs[:2]] == [["begun", "done"]] * 2
    assert remote("version").status_code == 200, "and the next one has a new host"
    assert host not in hosts(state)


def test_without_a_host_commands_run_cold_and_the_log_says_why_once(
    make_remote: Any, state: Path, write: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write(
        "plugins/thread.py",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    )
    remote = make_remote()
    for _ in range(2):
        assert remote("version").status_code == 200
    assert caplog.text.count("commands run cold") == 1
    assert "plugin started a thread" in caplog.text
    wait_for(lambda: not hosts(state))


def test_a_folder_that_is_none_is_said_once(
    make_remote: Any, cold_state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remote = make_remote()
    for _ in range(2):
        assert remote("version").status_code == 200
    assert caplog.text.count("commands run cold") == 1
    assert str(cold_state / "host") in caplog.text


def test_a_long_path_gets_a_short_socket(make_remote: Any, state: Path) -> None:
    deep = state / ("x" * 100)
    runner = WarmRunner(deep / "host", lambda: "0" * 16, ColdRunner(deep, 1))
    folder = runner.socket_path().parent
    try:
        assert len(os.fsencode(runner.socket_path())) < 100
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert make_remote(state_dir=deep)("version").status_code == 200
        assert len(hosts(folder)) == 1
    finally:
        end_all(folder)
        shutil.rmtree(folder)
