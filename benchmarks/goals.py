"""The goals, and what was measured for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report import table

if TYPE_CHECKING:
    from collections.abc import Callable

Figures = dict[str, float]

COMPARED = (
    "variables list",
    "pools list",
    "connections list",
    "dags list",
    "dags trigger",
    "dags pause",
)


@dataclass(frozen=True)
class Goal:
    """A goal.

    :param title: what is measured
    :param value: returns the figure; it raises KeyError if a part was not measured
    :param limits: the limit for each version of Airflow
    :param show: the format of figures and limits
    :param least: whether the figure must be at least the limit; otherwise it may not exceed it
    """

    title: str
    value: Callable[[Figures], float]
    limits: dict[str, float]
    show: str
    least: bool = False

    def cell(self, version: str, figures: Figures) -> str:
        """Return the cell for a version of Airflow."""
        try:
            value = self.value(figures)
        except KeyError:
            return "not measured"
        limit = self.limits.get(version)
        if limit is None:
            return self.show.format(value)
        met = value >= limit if self.least else value <= limit
        return f"{self.show.format(value)} {'✓' if met else '✗'}"

    def limit(self) -> str:
        """Return the cell for the limits."""
        texts = {version: self.show.format(limit) for version, limit in self.limits.items()}
        bound = "at least" if self.least else "at most"
        if len(texts) > 1 and len(set(texts.values())) == 1:
            return f"{bound} {texts.popitem()[1]}"
        return "; ".join(f"{bound} {text} on {version}" for version, text in texts.items())


def both(limit: float) -> dict[str, float]:
    """Return the same limit for both versions."""
    return {"2.11": limit, "3.3": limit}


GOALS = (
    Goal(
        f"the slowest of {len(COMPARED)} commands, against the REST API",
        lambda figures: max(figures[f"{name}: here"] / figures[f"{name}: REST"] for name in COMPARED),
        {"2.11": 0.5, "3.3": 1.5},
        "{:.1f} times",
    ),
    Goal(
        "the slowest of these commands",
        lambda figures: 1000 * max(figures[f"{name}: here"] for name in COMPARED),
        {"3.3": 20},
        "{:.0f} ms",
    ),
    Goal("`version`", lambda figures: 1000 * figures["version: here"], both(8), "{:.1f} ms"),
    Goal(
        "eight clients, mixed commands, against the REST API's rate",
        lambda figures: figures["rate: here"] / figures["rate: REST"],
        both(1),
        "{:.1f} times",
        least=True,
    ),
    Goal("the same, p99", lambda figures: 1000 * figures["p99: here"], both(150), "{:.0f} ms"),
    Goal(
        "500 x `dags pause` in a batch",
        lambda figures: 500 * figures["batch: here"] / figures["batch: count"],
        both(3),
        "{:.1f} s",
    ),
    *(
        Goal(
            f"`airflow-remote`, {title}",
            lambda figures, title=title: figures[f"{title}: `airflow-remote`"],  # type: ignore[misc]
            both(limit),
            "{:.2f} s",
        )
        for title, limit in (("dags trigger", 0.15), ("--help", 0.08), ("completion", 0.08))
    ),
    Goal("the fork server's memory", lambda figures: figures["memory: host"], {"3.3": 171}, "{:.0f} MB"),
    Goal("a command's private memory", lambda figures: figures["memory: command"], both(22), "{:.0f} MB"),
    Goal(
        "the slowest page of a list of 100,000",
        lambda figures: 1000 * figures["lists: slowest"],
        both(30),
        "{:.0f} ms",
    ),
    Goal(
        "p99 of Airflow's own pages with 40 waiting clients, against none",
        lambda figures: figures["waiting: ratio"],
        both(2),
        "{:.1f} times",
    ),
)


def summarize(figures: dict[str, Figures]) -> str:
    """Return a table of the goals, with the figures for each version of Airflow."""
    rows = [
        [goal.title, *(goal.cell(version, each) for version, each in figures.items()), goal.limit()]
        for goal in GOALS
    ]
    return table(["", *(f"Airflow {version}" for version in figures), "goal"], rows)
