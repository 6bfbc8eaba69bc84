from __future__ import annotations

import signal
from typing import Any

import pytest

from airflow_remote_server.execution.outcome import Outcome


@pytest.mark.parametrize("report", [None, "", [], {}, {"exceptions": 1}, {"exit_code": "x"}, 7])
def test_damaged_report_is_ignored(report: Any) -> None:
    assert Outcome.read(report, 3) == Outcome(3)
    assert Outcome.read(report, None) == Outcome(-signal.SIGKILL)


def test_exit_code_of_the_operating_system_overrides_that_of_the_report() -> None:
    report = {
        "exit_code": 2,
        "exceptions": [["SystemExit"]],
        "raised_in": "argparse.exit",
        "in_user_code": False,
        "message": "m",
    }
    assert Outcome.read(report, None) == Outcome(2, (("SystemExit",),), "argparse.exit", False, "m")
    assert Outcome.read(report, -9).exit_code == -9
