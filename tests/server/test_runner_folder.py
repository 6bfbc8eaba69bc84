from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from airflow_remote_server.runner import locks
from airflow_remote_server.runner.folder import EXIT, JOB, STOP, Command, Folder, Limits
from airflow_remote_server.runner.private import private

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(60.0, 1000, 10.0)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The folder of a command that nobody has yet."""
    made = Folder(tmp_path)
    made.fill(Command("airflow", ("variables", "get", "é"), "airflow variables get ***"), LIMITS)
    return made


def test_a_command_can_be_claimed_once(folder: Folder) -> None:
    ready = threading.Barrier(8)

    def claim(_: int) -> bool:
        ready.wait()
        return folder.claim()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(claim, range(8))) == [False] * 7 + [True]
    assert folder.take_command() == {
        "program": "airflow",
        "argv": ["variables", "get", "é"],
        "logged": [],
        "principal": "",
    }
    with pytest.raises(FileNotFoundError):
        folder.take_command()
    assert not folder.claim()


def test_what_a_keeper_has_to_know_is_there(folder: Folder) -> None:
    assert folder.limits() == LIMITS
    assert folder.read(JOB)["title"] == "airflow variables get ***"
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.path.iterdir()} == {0o600}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"limits": 1}', '{"limits": {"x": 1}}'])
def test_limits_that_are_none_are_refused(folder: Folder, text: str) -> None:
    (folder.path / JOB).write_text(text)
    with pytest.raises(ValueError, match="not ours"):
        folder.limits()


def test_an_end_is_read_whole_or_not_at_all(folder: Folder) -> None:
    assert folder.read(EXIT) is None
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            folder.end(0, "x" * 10_000)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write)
        while not folder.has(EXIT):
            pass
        reasons = {len(folder.read(EXIT)["reason"]) for _ in range(2000)}
        stop.set()
    assert reasons == {10_000}
    assert not [*folder.path.glob("*.partial")]


def test_what_cannot_be_written_leaves_nothing(folder: Folder) -> None:
    (folder.path / EXIT).mkdir()
    with pytest.raises(OSError, match="directory"):
        folder.end(0)
    assert not [*folder.path.glob("*.partial")]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [(None, "stop"), ({}, "stop"), ({"force": False}, "stop"), ({"force": True}, "force")],
)
def test_a_stop_is_wanted_with_or_without_force(folder: Folder, content: object, wanted: str) -> None:
    assert folder.stop_wanted() == ""
    folder.write(STOP, content)
    assert folder.stop_wanted() == wanted


def test_there_are_as_many_slots_as_may_run(tmp_path: Path) -> None:
    slots, others = locks.Slots(tmp_path, 2), locks.Slots(tmp_path, 2)
    first, second = slots.take(), others.take()
    assert first is not None
    assert second is not None
    assert slots.take() is others.take() is None
    os.close(first)
    third = others.take()
    assert third is not None
    for descriptor in (second, third):
        os.close(descriptor)


def test_a_private_folder_is_this_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert private(path) == path == private(path)
    for each in (path, path.parent):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700


def test_a_folder_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(private(tmp_path / "private"))
    (tmp_path / "file").write_text("")
    for name in ("open", "link"):
        with pytest.raises(PermissionError, match="mode 0700"):
            private(tmp_path / name)
    with pytest.raises(OSError, match="file"):
        private(tmp_path / "file")
