"""What the parts of the benchmark return, and how the figures are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Effort:
    """How long the parts of the benchmark measure.

    :param requests: requests for each command and side, from one client
    :param rounds: rounds of whole programs
    :param local: runs of the local ``airflow`` for each command, which take seconds each; 0 to leave it out
    :param load_seconds: seconds of load for each side
    :param batch: the number of commands in a batch
    :param rows: rows of the lists
    :param pages: requests to each page of Airflow before, and after, clients wait; twice as many meanwhile
    """

    requests: int = 51
    rounds: int = 5
    local: int = 3
    load_seconds: float = 40.0
    batch: int = 500
    rows: int = 100_000
    pages: int = 200


QUICK = Effort(requests=15, rounds=3, local=0, load_seconds=6.0, batch=100, rows=20_000, pages=50)
"""A run of about two minutes, to use while changing something."""


@dataclass(frozen=True)
class Result:
    """The result of a part.

    :param text: Markdown
    :param figures: numbers for the summary and the chart, by name
    """

    text: str
    figures: dict[str, float] = field(default_factory=dict)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def milliseconds(seconds: float) -> str:
    """Return a time in milliseconds; with a decimal place if it is short."""
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
