from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from airflow_remote_server.execution.command import Command, CommandLimits
from airflow_remote_server.execution.spool import EXIT, JOB, STOP, Spool

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = CommandLimits(60.0, 1000, 10.0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Return the spool of a command that no supervisor has claimed."""
    spool = Spool(tmp_path)
    spool.prepare(Command("airflow", ("variables", "get", "é"), "airflow variables get ***"), LIMITS)
    return spool


def test_command_can_be_claimed_once(spool: Spool) -> None:
    ready = threading.Barrier(8)

    def claim(_: int) -> bool:
        ready.wait()
        return spool.claim()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(claim, range(8))) == [False] * 7 + [True]
    assert spool.take_command() == {
        "program": "airflow",
        "argv": ["variables", "get", "é"],
        "logged": [],
        "principal": "",
        "secrets": [],
        "preview": False,
    }
    with pytest.raises(FileNotFoundError):
        spool.take_command()
    assert not spool.claim()


def test_spool_contains_the_limits_and_the_title_in_private_files(spool: Spool) -> None:
    assert spool.read_limits() == LIMITS
    assert spool.read(JOB)["title"] == "airflow variables get ***"
    assert {stat.S_IMODE(file.stat().st_mode) for file in spool.path.iterdir()} == {0o600}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"limits": 1}', '{"limits": {"x": 1}}'])
def test_damaged_limits_raise_an_error(spool: Spool, text: str) -> None:
    (spool.path / JOB).write_text(text)
    with pytest.raises(ValueError, match="damaged"):
        spool.read_limits()


def test_end_is_read_completely_or_not_at_all(spool: Spool) -> None:
    assert spool.read(EXIT) is None
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            spool.write_end(0, "x" * 10_000)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write)
        while not spool.has(EXIT):
            pass
        reasons = {len(spool.read(EXIT)["reason"]) for _ in range(2000)}
        stop.set()
    assert reasons == {10_000}
    assert not [*spool.path.glob("*.partial")]


def test_failed_write_leaves_no_partial_file(spool: Spool) -> None:
    (spool.path / EXIT).mkdir()
    with pytest.raises(OSError, match="directory"):
        spool.write_end(0)
    assert not [*spool.path.glob("*.partial")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "stop"), ({}, "stop"), ({"force": False}, "stop"), ({"force": True}, "force")],
)
def test_stop_is_requested_with_or_without_force(spool: Spool, content: object, expected: str) -> None:
    assert spool.requested_stop() == ""
    spool.write(STOP, content)
    assert spool.requested_stop() == expected
