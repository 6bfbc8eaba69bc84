"""The exit statuses of the program."""

from __future__ import annotations

import pytest

from airflow_remote.exit_status import ExitStatus, exit_status_of


def test_exit_statuses_are_stable() -> None:
    assert {status.name: int(status) for status in ExitStatus} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNREACHABLE": 69,
        "SERVER_ERROR": 70,
        "LOCAL_FILE": 74,
        "BUSY": 75,
        "NOT_THE_API": 76,
        "REFUSED": 77,
        "UNSUPPORTED": 78,
        "TIMED_OUT": 124,
        "HUNG_UP": 129,
        "INTERRUPTED": 130,
        "CLOSED_PIPE": 141,
        "TERMINATED": 143,
    }


def test_every_exit_status_has_a_one_line_meaning() -> None:
    for status in ExitStatus:
        assert status.meaning
        assert "\n" not in status.meaning


@pytest.mark.parametrize(
    ("code", "status"), [(0, 0), (1, 1), (75, 75), (255, 255), (-2, 130), (-9, 137), (-15, 143), (-127, 255)]
)
def test_exit_code_is_converted_as_in_a_shell(code: int, status: int) -> None:
    assert exit_status_of(code) == status


@pytest.mark.parametrize("code", [256, 512, 10**30, -128, -129, -(10**30)])
def test_impossible_exit_code_is_a_failure(code: int) -> None:
    assert exit_status_of(code) == 1
