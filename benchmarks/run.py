"""Measure this API, Airflow's own REST API, and the command lines that do the same.

Run by ``make bench``. Both sides of a comparison are measured in one run, in turns, on one real server. The
figures are medians, and ratios, which say more than seconds on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import batch
import commands
import document
import lists
import load
import memory
import page
import pass_through
import profile_request
import programs
import waiting
from report import QUICK, Effort, Result
from servers import AIRFLOWS, server

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

PARTS: dict[str, tuple[str, Callable[[Server, Effort], Result]]] = {
    "commands": ("One client", commands.measure),
    "load": ("Eight clients", load.measure),
    "profile": ("Where the time goes", profile_request.measure),
    "programs": ("Whole programs", programs.measure),
    "memory": ("Memory", memory.measure),
    "batch": ("A batch", batch.measure),
    "lists": ("Long lists", lists.measure),
    "waiting": ("Airflow's pages while clients wait", waiting.measure),
    "page": ("The page", page.measure),
    "middleware": ("A request that is not for the API", pass_through.measure),
}
"""The parts of the benchmark: the title and the function of each."""

NOT_QUICK = {"waiting", "page", "middleware"}
"""Parts that a quick run leaves out, unless ``--only`` names them."""


def main() -> int:
    """Run the benchmarks, and print the tables or write them to a file."""
    options = parse_options()
    effort = QUICK if options.quick else Effort()
    names = options.only or [name for name in PARTS if not (options.quick and name in NOT_QUICK)]
    titles = {name: title for name, (title, _) in PARTS.items()}
    results: dict[str, dict[str, Result]] = {}
    failed = False
    for version in options.airflow or AIRFLOWS:
        results[version] = {}
        with server(version) as running:
            for name in names:
                result = run_part(name, running, effort)
                if result is None:
                    failed = True
                else:
                    results[version][name] = result
    print(document.tables(results, titles))
    if options.write:
        document.write(options.write, results, titles)
    return int(failed)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="take about two minutes")
    parser.add_argument(
        "--airflow", action="append", type=version_of, help="only this version: 2, 3, 2.11 or 3.3"
    )
    parser.add_argument("--only", type=parts_of, help=f"only these parts: {','.join(PARTS)}")
    parser.add_argument("--write", type=Path, help="file for the tables, as Markdown")
    return parser.parse_args()


def version_of(text: str) -> str:
    """Return the version of Airflow that an argument names."""
    for version in AIRFLOWS:
        if text in (version, version.partition(".")[0]):
            return version
    raise argparse.ArgumentTypeError(f"not one of {', '.join(AIRFLOWS)}: {text!r}")


def parts_of(text: str) -> list[str]:
    """Return the parts that an argument names, separated by commas."""
    names = text.split(",")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"not one of {', '.join(PARTS)}: {name!r}")
    return names


def run_part(name: str, running: Server, effort: Effort) -> Result | None:
    """Run a part, and return its result; None if it failed."""
    start = time.monotonic()
    try:
        result = PARTS[name][1](running, effort)
    except Exception:  # noqa: BLE001 - the other parts are measured nevertheless
        traceback.print_exc()
        result = None
    print(f"{running.version}: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
