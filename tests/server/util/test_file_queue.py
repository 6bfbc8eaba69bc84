"""Test the queue of processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from processes import wait_for

from airflow_remote_server.util import file_queue
from airflow_remote_server.util.file_queue import FileQueue

if TYPE_CHECKING:
    from pathlib import Path

ENTER = """
import pathlib, sys, time
from airflow_remote_server.util.file_queue import FileQueue
with FileQueue(pathlib.Path(sys.argv[1]), 1).turn(60):
    print("in", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no thread pass the others because the machine is busy."""
    monkeypatch.setattr(file_queue, "ENTER_SECONDS", 60.0)


def has_files(directory: Path, count: int) -> bool:
    """Return whether a queue has so many processes."""
    return len(list(directory.glob("*.lock"))) == count


@pytest.mark.parametrize("most", [1, 2])
def test_who_comes_first_proceeds_first(tmp_path: Path, most: int) -> None:
    queue, order, present, highest = FileQueue(tmp_path / "queue", most), list[int](), [0], [0]
    lock, release = threading.Lock(), threading.Event()

    def enter(number: int) -> None:
        with queue.turn(60):
            with lock:
                order.append(number)
                present[0] += 1
                highest[0] = max(highest[0], present[0])
            assert release.wait(60)
            with lock:
                present[0] -= 1

    threads = []
    for number in range(6):
        threads.append(threading.Thread(target=enter, args=(number,)))
        threads[-1].start()
        wait_for(partial(has_files, tmp_path / "queue", number + 1))
    release.set()
    for thread in threads:
        thread.join(60)
    assert highest[0] == most
    assert sorted(order) == list(range(6))
    if most == 1:
        assert order == list(range(6))
    assert list((tmp_path / "queue").iterdir()) == []


def test_killed_process_gives_up_its_turn(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ENTER, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        entered = threading.Event()

        def enter() -> None:
            with FileQueue(tmp_path, 1).turn(60):
                entered.set()

        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(file_queue.POLL_SECONDS * 5)
        other.kill()
        thread.join(60)
        assert entered.is_set()
    assert list(tmp_path.iterdir()) == []


def test_processes_that_enter_at_the_same_time_all_have_a_place(tmp_path: Path) -> None:
    present, highest, lock = [0], [0], threading.Lock()

    def enter() -> None:
        for _ in range(20):
            with FileQueue(tmp_path, 2).turn(60):
                with lock:
                    present[0] += 1
                    highest[0] = max(highest[0], present[0])
                time.sleep(0.001)
                with lock:
                    present[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert highest[0] <= 2
    assert list(tmp_path.iterdir()) == []


def test_wait_is_bounded(tmp_path: Path) -> None:
    with FileQueue(tmp_path, 1).turn(60), FileQueue(tmp_path, 1).turn(0.1):
        pass


def test_unusable_directory_does_not_stop_anyone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with FileQueue(tmp_path / "file" / "queue", 1).turn(60):
        pass
