"""Fork servers that fail to start are recorded, and started less and less often."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.execution.start_failures import (
    FIRST_SECONDS,
    LONGEST_SECONDS,
    Failure,
    StartFailures,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@given(starts=st.integers(1, 100))
def test_each_failure_doubles_the_pause_up_to_a_limit(starts: int) -> None:
    failure = Failure(starts, "", 1000.0)
    pause = failure.next_start - failure.time
    assert pause == min(FIRST_SECONDS * 2 ** (starts - 1), LONGEST_SECONDS)


def test_failures_are_counted_until_a_fork_server_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, now = StartFailures(tmp_path / "host.failed"), time.time()
    assert (failures.last(), failures.pending()) == (None, None)
    failures.add("one")
    failures.add("two")
    pending = failures.pending()
    assert pending is not None
    assert (pending.starts, pending.reason) == (2, "two")
    monkeypatch.setattr(time, "time", lambda: now + 2 * FIRST_SECONDS + 60)
    assert failures.pending() is None, "the pause is over"
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert failures.pending() is None, "the clock was set back"
    failures.clear()
    assert failures.last() is None
    failures.path.write_text("not JSON")
    assert (failures.last(), failures.pending()) == (None, None)
