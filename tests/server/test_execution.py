"""Real commands of the real Airflow, which an operator's ``airflow_local_settings.py`` makes misbehave."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.execution import Executor
from airflow_remote_server.runner import Command
from airflow_remote_server.runner.cold import ColdRunner, environment

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


@pytest.fixture
def run(make_settings: Any) -> Any:
    """Run ``airflow version`` under these settings."""

    def call(*argv: str, **changes: Any) -> Any:
        executor = Executor(make_settings(**changes), ColdRunner())
        with executor.folder() as folder:
            return executor.run(Command("airflow", argv or ("version",), folder, "airflow"))

    return call


def wait_for(condition: Callable[[], bool]) -> bool:
    """Wait until something is true; whether it came true."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def gone(pid: int) -> bool:
    """Whether a process is no more, waiting for it: init reaps it in its own time."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    return wait_for(ended)


SERVER = """
import tempfile, time
from pathlib import Path
from airflow_remote_server.runner import Command
from airflow_remote_server.runner.cold import ColdRunner
folder = Path(tempfile.mkdtemp())
process = ColdRunner().start(Command("airflow", ("version",), folder, "airflow version"))
print(process.pid, folder, sep="\\n", flush=True)
time.sleep(600)
"""


def test_a_command_prints_for_its_user_only(run: Any, tmp_path: Path) -> None:
    from airflow import __version__

    finished = run()
    assert (finished.exit_code, finished.stdout, finished.error) == (0, f"{__version__}\n", None)
    assert list((tmp_path / "state" / "commands").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_command_that_runs_too_long_is_stopped(run: Any, misbehave: Any) -> None:
    misbehave("sleep")
    finished = run(command_timeout=4)
    assert (
        finished.error.message
        == "the command ran over 4 s and was stopped ([rest_api_plugin] command_timeout)"
    )
    assert finished.exit_code is None


def test_a_command_that_prints_too_much_is_stopped(run: Any, misbehave: Any) -> None:
    misbehave("flood")
    finished = run(max_output_bytes=1_000_000)
    assert "printed over 1000000 bytes" in finished.error.message
    assert len(finished.stdout) == 1_000_000


def test_a_commands_children_end_with_it(run: Any, misbehave: Any) -> None:
    misbehave("grandchild")
    finished = run()
    assert finished.exit_code == 0
    assert gone(int(finished.stdout.split()[1]))


def test_a_command_that_reads_gets_nothing(run: Any, misbehave: Any) -> None:
    misbehave("stdin")
    assert "read ''" in run().stdout


def test_output_over_the_limit_is_said_also_when_the_command_was_quick(
    run: Any, misbehave: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_remote_server.execution.LOOK_SECONDS", 60.0)  # it is over before a look
    misbehave("burst")
    finished = run(max_output_bytes=1_000_000)
    assert "printed over 1000000 bytes" in finished.error.message
    assert finished.exit_code == 0


def test_a_command_ends_with_the_server_that_asked_for_it(misbehave: Any) -> None:
    misbehave("grandchild-and-sleep")
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        folder = Path(server.stdout.readline().strip())
        wait_for(lambda: b"grandchild" in (folder / "stdout").read_bytes())
        grandchild = int((folder / "stdout").read_text().split()[1])
        server.kill()
    assert gone(pid)
    assert gone(grandchild)


def test_what_killed_servers_left_behind_is_removed(run: Any, tmp_path: Path) -> None:
    commands = tmp_path / "state" / "commands"
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    for name, owner in (("old", str(ended.pid)), ("odd", "x"), ("mine", str(os.getpid()))):
        (commands / name).mkdir(parents=True)
        (commands / name / "owner").write_text(owner)
    run()
    assert [path.name for path in commands.iterdir()] == ["mine"]


def test_a_command_whose_exit_code_went_to_another_is_told_by_itself(run: Any, monkeypatch: Any) -> None:
    def somebody_else(*_: Any) -> None:
        raise ChildProcessError

    monkeypatch.setattr("os.waitid", somebody_else)
    finished = run("pools", "nonsense")
    assert finished.exit_code == 2
    assert finished.error.kind == "BadArguments"


def test_a_service_that_cannot_start_says_so(make_settings: Any, tmp_path: Path) -> None:
    executor = Executor(make_settings(), ColdRunner())
    finished = executor.start_service("airflow", ("kerberos",), "airflow kerberos")
    assert finished.pid is None
    assert finished.error is not None
    assert list((tmp_path / "state" / "commands").iterdir()) == []


def test_a_command_that_crashes_is_told_by_its_signal(run: Any, misbehave: Any) -> None:
    misbehave("segfault")
    finished = run()
    assert (finished.exit_code, finished.error.message) == (-11, "the command was ended by SIGSEGV")


def test_a_worker_that_is_killed_for_its_slowness_leaves_nothing(
    run: Any, misbehave: Any, monkeypatch: Any
) -> None:
    started: list[Any] = []

    def wait(process: Any, timeout: float) -> None:
        started.append(process)
        raise SystemExit(1)  # what gunicorn's abort raises in a worker

    misbehave("sleep")
    monkeypatch.setattr("airflow_remote_server.runner.cold.ColdProcess.wait", wait)
    with pytest.raises(SystemExit):
        run()
    assert gone(started[0].pid)


@pytest.fixture(scope="module")
def database() -> None:
    """Airflow's database, with its tables."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("argv", "kind", "text"),
    [
        (("pools", "nonsense"), "BadArguments", "invalid choice"),
        (("dags", "trigger", "--exec-date=x", "--logical-date=x", "--", "d"), "BadArguments", ""),
        (("tasks", "list", "--", "no_such_dag"), "NotFound", "no_such_dag"),
    ],
)
def test_the_way_a_command_failed_decides_the_answer(
    run: Any, argv: tuple[str, ...], kind: str, text: str
) -> None:
    finished = run(*argv)
    assert finished.error.kind == kind, finished.stderr
    assert text in finished.error.message
    assert "\n" not in finished.error.message


def test_the_arguments_are_in_no_process_list(make_settings: Any, misbehave: Any) -> None:
    misbehave("sleep")
    executor = Executor(make_settings(), ColdRunner())
    with executor.folder() as folder:
        process = ColdRunner().start(
            Command("airflow", ("variables", "set", "k", "hunter2"), folder, "airflow ***")
        )
        try:
            seen = [
                Path(f"/proc/{pid}/cmdline").read_bytes()
                for pid in os.listdir("/proc")  # noqa: PTH208 - names are wanted
                if pid.isdigit() and os.path.exists(f"/proc/{pid}/cmdline")  # noqa: PTH110
            ]
            assert process.wait(0.0) is None
            assert b"hunter2" not in b"".join(seen)
        finally:
            process.stop()


def test_a_state_folder_that_cannot_be_made_is_said(make_client: Any, tmp_path: Path) -> None:
    from conftest import TOKEN

    (tmp_path / "file").write_text("")
    client = make_client(state_dir=tmp_path / "file" / "state")
    response = client.get("/admin/rest_api/api/v1.0/version", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 503
    assert "[rest_api_plugin] state_dir" in response.json["output"]


def test_what_belongs_to_the_server_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVER_SOFTWARE", "_AIRFLOW_PROCESS_CONTEXT", "AIRFLOW_API_APPS", "FORCE_COLOR"):
        monkeypatch.setenv(name, "x")
    env = environment()
    assert not {"SERVER_SOFTWARE", "_AIRFLOW_PROCESS_CONTEXT", "AIRFLOW_API_APPS", "FORCE_COLOR"} & set(env)
    assert (env["NO_COLOR"], env["PYTHONUTF8"], env["AIRFLOW_HOME"]) == ("1", "1", os.environ["AIRFLOW_HOME"])


def test_results_that_are_not_ours_are_not_believed(tmp_path: Path) -> None:
    from airflow_remote_server.runner import RESULT, Outcome

    for text in ("", "{", "[]", "{}", json.dumps({"exceptions": 1})):
        (tmp_path / RESULT).write_text(text)
        assert Outcome.read(tmp_path, 3) == Outcome(3)
