"""SIGTERM is held back from the web server until its commands have ended."""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import wait_for

from airflow_remote_server.execution.command import Command, CommandLimits
from airflow_remote_server.execution.draining import (
    FILL_SECONDS,
    Drainer,
    any_command_runs,
    ignore_while_master_drains,
)
from airflow_remote_server.execution.spool import EXIT, PROCESS, Spool
from airflow_remote_server.util.drain import DRAIN, SIZE

SECONDS = 300.0


@pytest.fixture(autouse=True)
def no_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DRAIN, "_memory", mmap.mmap(-1, SIZE))


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """Handle SIGTERM as a web server does; the signals that it has got."""
    signals: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    yield signals
    signal.signal(signal.SIGTERM, before)


def make_spool(state: Path, name: str, service: bool = False) -> Spool:
    path = state / "jobs" / name
    path.mkdir(parents=True)
    spool = Spool(path)
    spool.prepare(Command("airflow", ("version",), "airflow version", service), CommandLimits(1.0, 100, 1.0))
    return spool


def drainer(state: Path, seconds: float = SECONDS) -> Drainer:
    return Drainer(lambda: (state, seconds))


class TestCommands:
    def test_there_are_none_without_a_state_directory(self, tmp_path: Path) -> None:
        assert not any_command_runs(tmp_path / "nothing")

    def test_queued_and_running_ones_count(self, tmp_path: Path) -> None:
        spool = make_spool(tmp_path, "a")
        assert any_command_runs(tmp_path / "jobs")
        assert spool.claim()
        assert any_command_runs(tmp_path / "jobs")
        spool.write(PROCESS, {})
        spool.take_command()
        assert any_command_runs(tmp_path / "jobs")
        spool.write_end(0)
        assert spool.has(EXIT)
        assert not any_command_runs(tmp_path / "jobs")

    def test_services_do_not_count(self, tmp_path: Path) -> None:
        make_spool(tmp_path, "service", service=True)
        assert not any_command_runs(tmp_path / "jobs")

    def test_a_job_that_is_being_submitted_counts_for_some_seconds(self, tmp_path: Path) -> None:
        path = tmp_path / "jobs" / "new"
        path.mkdir(parents=True)
        assert any_command_runs(tmp_path / "jobs")
        long_ago = path.stat().st_mtime - 2 * FILL_SECONDS
        os.utime(path, (long_ago, long_ago))
        assert not any_command_runs(tmp_path / "jobs")


class TestSignals:
    def test_the_server_gets_the_signal_when_the_commands_have_ended(
        self, tmp_path: Path, handled: list[int]
    ) -> None:
        spool = make_spool(tmp_path, "a")
        drainer(tmp_path).hold_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (DRAIN.active, DRAIN.is_over) == (True, False)
        os.kill(os.getpid(), signal.SIGTERM)  # passed on by the parent
        assert handled == []
        spool.write_end(0)
        wait_for(lambda: handled == [signal.SIGTERM])

    def test_it_gets_the_signal_although_the_middleware_was_started_twice(
        self, tmp_path: Path, handled: list[int]
    ) -> None:
        drainer(tmp_path).hold_signal()
        drainer(tmp_path).hold_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(lambda: handled == [signal.SIGTERM])

    def test_it_gets_the_signal_although_the_handler_was_wrapped(
        self, tmp_path: Path, handled: list[int]
    ) -> None:
        drainer(tmp_path).hold_signal()
        ours = signal.getsignal(signal.SIGTERM)
        assert callable(ours)
        signal.signal(signal.SIGTERM, lambda number, frame: ours(number, frame))
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(lambda: handled == [signal.SIGTERM])

    def test_it_gets_the_signal_when_the_time_is_over(self, tmp_path: Path, handled: list[int]) -> None:
        make_spool(tmp_path, "a")
        drainer(tmp_path, 0.2).hold_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(lambda: handled == [signal.SIGTERM])
        assert DRAIN.is_over

    def test_a_later_signal_ends_the_server_at_once(
        self, tmp_path: Path, handled: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_spool(tmp_path, "a")
        drainer(tmp_path).hold_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        monkeypatch.setattr("airflow_remote_server.execution.draining.SAME_SIGNAL_SECONDS", 0.0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert handled == [signal.SIGTERM]

    def test_a_failure_does_not_swallow_the_signal(self, handled: list[int]) -> None:
        def fail() -> Any:
            raise RuntimeError("no configuration")

        Drainer(fail).hold_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        assert handled == [signal.SIGTERM]
        assert not DRAIN.active

    def test_a_server_without_a_handler_is_left_alone(self, tmp_path: Path) -> None:
        before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            drainer(tmp_path).hold_signal()
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        finally:
            signal.signal(signal.SIGTERM, before)


class TestWorkersOfGunicorn:
    def test_they_ignore_the_signal_while_the_master_drains(
        self, handled: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_remote_server.execution.draining.NOTICE_SECONDS", 0.0)
        ignore_while_master_drains()
        DRAIN.begin(SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        assert handled == []
        DRAIN.end()
        os.kill(os.getpid(), signal.SIGTERM)
        assert handled == [signal.SIGTERM]

    def test_they_obey_the_signal_when_the_time_is_over(self, handled: list[int]) -> None:
        ignore_while_master_drains()
        DRAIN.begin(0.001)
        wait_for(lambda: DRAIN.is_over)
        os.kill(os.getpid(), signal.SIGTERM)
        assert handled == [signal.SIGTERM]

    def test_a_worker_that_is_replaced_ends(
        self, handled: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_remote_server.execution.draining.NOTICE_SECONDS", 0.2)
        ignore_while_master_drains()
        ignore_while_master_drains()
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(lambda: handled == [signal.SIGTERM])
