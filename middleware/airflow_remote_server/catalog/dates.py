"""Restore the plus sign of UTC offsets in dates.

In a query and a form, ``+`` means a space (WHATWG URL, application/x-www-form-urlencoded). So the date
``2024-10-01T07:15:00+02:00``, sent without escaping the plus, arrives as ``2024-10-01T07:15:00 02:00``.
Airflow would take the second time for the time of day, and use another instant.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import Kind

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import Argument

DATED_NAMES = frozenset(
    {
        "date",  # of `partitions clear`: a range, START~END
        "execution_date",
        "execution_date_or_run_id",
        "logical_date",
        "logical_date_or_run_id",
        "partition_key",
        "run_id",
    }
)
"""Arguments whose values are dates, or texts that may contain one, as run IDs do."""

OFFSET = r"(?:0[0-9]|1[0-4]):?[0-5][0-9]|(?:0[0-9]|1[0-4])"
"""A UTC offset; the largest one in use is +14:00."""

TIME = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
DAY = r"(?<![0-9])[0-9]{4}(?:[-/.]?[0-9]{2}[-/.]?[0-9]{2}|-?W[0-9]{2}(?:-?[0-9])?|-?[0-9]{3})"
"""A calendar date, week date or ordinal date (ISO 8601)."""

MOMENT = rf"{DAY}(?:(?:[Tt]| +){TIME}|[Tt ][0-9]{{4}}(?:[0-9]{{2}}(?:[.,][0-9]+)?)?|[Tt][0-9]{{2}})"
"""A day and a time of day, with or without colons; with the hour alone only after a ``T``."""

WHOLE = re.compile(rf"(?P<date>{MOMENT}) +(?P<offset>{OFFSET})")
"""Nothing but a date and an offset."""

INSIDE = re.compile(rf"(?P<date>{MOMENT}) +(?P<offset>(?:0[0-9]|1[0-4]):[0-5][0-9])(?![0-9:])")
"""A date with an offset in a longer text, where two or four digits may be anything."""

ANY_FORMAT = re.compile(rf"(?P<date>.*[^0-9:]{TIME}) +(?P<offset>(?:0[0-9]|1[0-4]):[0-5][0-9])")
"""A date in another format of dateutil, such as ``1 Oct 2024 07:15``."""

SECOND_TIME = re.compile(rf"{MOMENT} +[0-9]")
SECOND_CLOCK_TIME = re.compile(rf"{TIME} +[0-9]+:[0-9]")


def restore_plus(argument: Argument, text: str) -> str:
    """Return the value of an argument with the plus signs of its UTC offsets.

    :param argument: the argument; only dates and texts that may contain them change
    :param text: its value
    :raises ValueError: if a time follows the time of a date and is no UTC offset
    """
    is_date = argument.kind is Kind.DATE
    if not is_date and argument.name not in DATED_NAMES:
        return text
    for pattern in (WHOLE, ANY_FORMAT) if is_date else (WHOLE,):
        match = pattern.fullmatch(text.strip(" "))
        if match is not None:
            return f"{match['date']}+{match['offset']}"
    text = INSIDE.sub(r"\g<date>+\g<offset>", text)
    # A run ID with such a text is an ID like any other, unless it begins with a date.
    if SECOND_TIME.match(text.lstrip(" ")) or (
        is_date and (SECOND_TIME.search(text) or SECOND_CLOCK_TIME.search(text))
    ):
        raise ValueError("has two times of day: send the + of a UTC offset as %2B")
    return text
