"""Test that the commands of the installed Airflow are loaded once, and that nobody waits long for them."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for

from airflow_remote_server.catalog import source
from airflow_remote_server.catalog.source import CommandSource
from airflow_remote_server.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THREADS = 8


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    """Replace the building of the file; return the list of the files that have been begun."""

    def replace(go_on: threading.Event, error: Exception | None = None) -> list[Path]:
        begun: list[Path] = []

        def write(path: Path) -> None:
            begun.append(path)
            assert go_on.wait(60)
            if error is not None:
                raise error
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({"commands": []}))

        monkeypatch.setattr(source, "build_index", write)
        return begun

    return replace


def read_in_threads(commands: CommandSource) -> list[Any]:
    """Read in several threads at once; return what each got, or the error."""

    def read(_: int) -> Any:
        try:
            return commands.read()
        except Unavailable as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(read, range(THREADS)))


def test_commands_are_loaded_once_for_all_threads(tmp_path: Path, build: Any) -> None:
    go_on = threading.Event()
    begun = build(go_on)
    commands = CommandSource(tmp_path, lambda: "a")
    threading.Timer(0.2, go_on.set).start()
    results = read_in_threads(commands)
    assert len(begun) == 1
    assert all(result is results[0] for result in results)
    assert commands.read() is results[0] == {"commands": []}


def test_wait_for_the_commands_is_bounded(
    tmp_path: Path, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "WAIT_SECONDS", 0.1)
    go_on = threading.Event()
    begun = build(go_on)
    commands = CommandSource(tmp_path, lambda: "a")
    for error in read_in_threads(commands):
        assert (error.status, int(error.headers["Retry-After"]) > 0) == (503, True)
    monkeypatch.setattr(source, "WAIT_SECONDS", 60.0)
    go_on.set()
    assert commands.read() == {"commands": []}
    assert len(begun) == 1, "the loading went on"


def test_failure_is_reported_to_all_threads_and_not_repeated_at_once(
    tmp_path: Path, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    go_on.set()
    begun = build(go_on, OSError(28, "No space left on device"))
    commands = CommandSource(tmp_path, lambda: "a")
    for error in [*read_in_threads(commands), *read_in_threads(commands)]:
        assert (error.status, error.message) == (503, source.UNREADABLE)
    assert len(begun) == 1
    monkeypatch.undo()
    build(go_on)
    monkeypatch.setattr(commands, "_retry_at", 0.0)
    assert commands.read() == {"commands": []}


def test_change_of_the_configuration_during_a_loading(tmp_path: Path, build: Any) -> None:
    go_on, fingerprint = threading.Event(), ["a"]
    begun = build(go_on)
    commands = CommandSource(tmp_path, lambda: fingerprint[0])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(commands.read)
        wait_for(lambda: begun)
        fingerprint[0] = "b"
        second = pool.submit(commands.read)
        wait_for(lambda: len(begun) == 2)
        go_on.set()
        assert first.result(60) == second.result(60) == {"commands": []}
    assert [path.stem for path in begun] == ["a", "b"]
