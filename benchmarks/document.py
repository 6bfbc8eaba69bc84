"""Write the page of the benchmarks, and its chart."""

from __future__ import annotations

import os
import platform
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from chart import Panel, draw
from commands import COMMANDS
from goals import summarize
from servers import ROOT

if TYPE_CHECKING:
    from report import Result

CHART = ROOT / "docs/images/benchmarks.svg"

INTRODUCTION = """# Benchmarks

The figures are medians of one run on one machine. In each comparison, both sides take turns on the same
webserver. It has Airflow's default workers: four of gunicorn on Airflow 2.11, one of uvicorn on Airflow 3.3.

- **This API** is a request to airflow-remote's HTTP API: it runs a command of Airflow's command line in a
  process other than the web worker.
- **REST API** is the request to Airflow's own REST API that does the same: `/api/v2` with a token on Airflow
  3.3, `/api/v1` with basic authentication on Airflow 2.11.
- **Whole programs** start from compiled modules, as pip installs them.

```{image} ../images/benchmarks.svg
:alt: Bar charts of the times of commands and programs; the tables below have the figures
```
"""

HOW_TO = """## How to run it

`make bench WRITE=docs/reference/benchmarks.md` measures everything and writes this page and its chart. It
takes about 15 minutes; leave the machine alone meanwhile. While you change something, measure less:

| command | measures |
|---|---|
| `make bench QUICK=1` | the most important parts, in about two minutes for each version of Airflow |
| `make bench QUICK=1 AIRFLOW=3` | the same on Airflow 3.3 only |
| `make bench AIRFLOW=3 ONLY=commands,load` | these parts only |

The parts are {parts}. `airflowctl` and `af` are installed from PyPI into environments of their own, below
`.venv/peers`. A program that cannot be installed is left out.
"""


def write(path: Path, results: dict[str, dict[str, Result]], titles: dict[str, str]) -> None:
    """Write the page and the chart.

    :param path: the file of the page
    :param results: the results of the parts, for each version of Airflow
    :param titles: the titles of the parts
    """
    figures = {
        version: {name: value for part in parts.values() for name, value in part.figures.items()}
        for version, parts in results.items()
    }
    sections = [
        INTRODUCTION,
        f"## Summary\n\n{summarize(figures)}\n",
        HOW_TO.format(parts=", ".join(f"`{name}`" for name in titles)),
        f"## The machine\n\n{describe_machine()}\n",
        tables(results, titles),
    ]
    path.write_text("\n".join(sections), "utf-8")
    CHART.write_text(draw("Times of commands and programs", panels(figures)), "utf-8")


def tables(results: dict[str, dict[str, Result]], titles: dict[str, str]) -> str:
    """Return the tables of all parts as Markdown."""
    return "\n".join(
        f"## Airflow {version}\n\n"
        + "\n".join(f"### {titles[name]}, Airflow {version}\n\n{part.text}\n" for name, part in parts.items())
        for version, parts in results.items()
    )


def describe_machine() -> str:
    """Return a sentence about this machine and its software."""
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[2]
    return (
        f"{os.cpu_count()} processors ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GB of memory, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}, SQLite, "
        f"{datetime.now(timezone.utc):%B %Y}. The average load of the last 15 minutes was {load:.1f}."
    )


def panels(figures: dict[str, dict[str, float]]) -> list[Panel]:
    """Return the panels of the chart."""
    found = []
    for version, values in sorted(figures.items(), reverse=True):
        groups = {
            command.title: tuple(scaled(values, f"{command.title}: {side}") for side in ("here", "REST"))
            for command in COMMANDS
            if command.rest and f"{command.title}: here" in values
        }
        if groups:
            title = f"A command on Airflow {version}, one client, milliseconds"
            found.append(Panel(title, ("airflow-remote", "Airflow's REST API"), groups))
        programs = [name.partition(": ")[2] for name in values if name.startswith("--help: ")]
        if programs:
            series = tuple(name.replace("`", "") for name in programs)
            titles = {"--help": "--help", "completion": "completion", "dags trigger": "trigger a DAG"}
            found.append(
                Panel(
                    f"Whole programs on Airflow {version}, milliseconds",
                    series,
                    {
                        label: tuple(scaled(values, f"{title}: {name}") for name in programs)
                        for title, label in titles.items()
                    },
                )
            )
    return found


def scaled(values: dict[str, float], name: str) -> float | None:
    """Return a time in milliseconds; None if it was not measured."""
    return values[name] * 1000 if name in values else None
