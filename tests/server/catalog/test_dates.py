"""A plus sign that became a space never changes the instant that a date means."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import airflow_commands
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.catalog.dates import DATED_NAMES, restore_plus
from airflow_remote_server.catalog.live import _build_argument as build_argument
from airflow_remote_server.catalog.spec import Argument, Kind

DATE = Argument("exec_date", "--exec-date", Kind.DATE)
RUN = Argument("execution_date", aliases=("run_id",))

OFFSETS = st.integers(0, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1000, 1, 1), timezones=OFFSETS)
FORMATS = st.sampled_from(
    [
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%d %H:%M:%S%z",
        "%Y-%m-%dT%H:%M:%S.%f%z",
        "%Y%m%dT%H%M%S%z",
        "%Y%m%dT%H%M%z",
        "%G-W%V-%uT%H:%M%z",
        "%Y-%jT%H:%M%z",
        "%Y/%m/%d %H:%M%z",
    ]
)
RUN_IDS = st.sampled_from(["{}", "manual__{}", "scheduled__{}", "manual__{}_AbC123de", "{0}~{0}"])


@given(MOMENTS, FORMATS, st.booleans())
def test_offset_gets_its_plus_back(moment: datetime, format: str, colon: bool) -> None:
    text = moment.strftime(format)
    text = f"{text[:-2]}:{text[-2:]}" if colon else text
    assert restore_plus(DATE, text.replace("+", " ")) == text
    assert restore_plus(RUN, text.replace("+", " ")) == text
    assert restore_plus(DATE, text) == restore_plus(RUN, text) == text


@given(MOMENTS, RUN_IDS)
def test_run_ids_and_ranges_get_their_plus_back(moment: datetime, template: str) -> None:
    text = template.format(moment.isoformat())
    assert restore_plus(RUN, text.replace("+", " ")) == text


@given(st.text(st.sampled_from("0123456789:-/T W~.+ Oct")) | st.text())
def test_nothing_but_a_space_before_an_offset_changes(text: str) -> None:
    for argument in (DATE, RUN):
        with suppress(ValueError):
            restored = restore_plus(argument, text)
            assert restored.replace("+", " ").split() == text.replace("+", " ").split()
            assert restore_plus(argument, restored) == restored
    assert restore_plus(Argument("conf"), text) == text


@pytest.mark.parametrize(
    "text",
    [
        "2024-10-01",
        "2024-10-01 02:00",
        "2024-10-01T07:15:00",
        "2024-10-01T07:15:00Z",
        "2024-10-01T07:15:00 -05:00",
        "2024-10-01T07:15:00 UTC",
        "Tue Oct  1 07:15:00 2024",
        "07:15 1 Oct 2024",
        "manual__2024-10-01T07:15:00 second try",
        "my run 10:00 20:00",
        "2024-10-01T07:15:00 +02:00",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert restore_plus(RUN if "run" in text or "__" in text else DATE, text) == text


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        ("1 Oct 2024 07:15:00 02:00", "1 Oct 2024 07:15:00+02:00"),
        ("2024-10-01T07:15:00 05", "2024-10-01T07:15:00+05"),
        ("2024-10-01T07 02:00", "2024-10-01T07+02:00"),
        ("2024-10-01T07:15:00  14:00", "2024-10-01T07:15:00+14:00"),
    ],
)
def test_less_usual_dates(text: str, restored: str) -> None:
    assert restore_plus(DATE, text) == restored


@pytest.mark.parametrize(
    "text",
    [
        "2024-10-01T07:15:00 25:00",
        "2024-10-01 07:15 15:00",
        "2024-10-01T07:15:00 00:00:00",
        "1 Oct 2024 7:15 25:00",
    ],
)
def test_second_time_that_is_no_offset_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="%2B"):
        restore_plus(DATE, text)
    if text.startswith("2024"):
        with pytest.raises(ValueError, match="%2B"):
            restore_plus(RUN, text)


@pytest.mark.parametrize(
    "text", ["2024-10-01T07:15" + " " * 131_000, "1:11 " * 26_000, "2024-10-01 " * 11_000]
)
def test_long_texts_take_no_long_time(text: str) -> None:
    for argument in (DATE, RUN):
        with suppress(ValueError):
            restore_plus(argument, text)


def test_every_date_of_airflow_is_covered() -> None:
    for command in airflow_commands.description()["commands"]:
        for described in command["arguments"]:
            argument = build_argument(command["name"], described)
            words = {*argument.name.split("_")}
            if argument.kind is Kind.TEXT and (words & {"date", "timestamp"} or argument.name == "run_id"):
                assert argument.name in DATED_NAMES, f"{command['name']} {argument.name}"
