"""Fixtures for the tests of the fork server and its clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from remote import Remote

    MakeRemote = Callable[..., Remote]


@pytest.fixture
def write_home_file(home: Path) -> Iterator[Callable[[str, str], Path]]:
    """Return a function that writes a file below AIRFLOW_HOME, and restore the files after the test."""
    original: dict[Path, str | None] = {}

    def write(name: str, text: str) -> Path:
        path = home / name
        original.setdefault(path, path.read_text() if path.exists() else None)
        path.write_text(text)
        return path

    yield write
    for path, text in original.items():
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


@pytest.fixture(params=["warm", "cold"])
def make_supervised(request: pytest.FixtureRequest, make_remote: MakeRemote) -> MakeRemote:
    """Return a function that makes a caller of the API, for each of the two kinds of supervisors."""
    state = request.getfixturevalue("shared_state" if request.param == "warm" else "cold_state")
    return lambda **changes: make_remote(state_dir=state, **changes)
