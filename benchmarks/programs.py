"""Compare whole runs of ``airflow-remote`` with other programs that do the same."""

from __future__ import annotations

import statistics
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import peers
from report import Result, milliseconds, table
from servers import AIRFLOWS, DAG, ENVIRONMENT, ROOT, TOKEN, seconds

if TYPE_CHECKING:
    from pathlib import Path

    from report import Effort
    from servers import Server

SOURCES = (ROOT / "client", ROOT / "middleware")
"""This project, which its environments refer to."""

TITLES = ("--help", "completion", "dags trigger")


def measure(server: Server, effort: Effort) -> Result:
    """Measure whole runs of the programs, in turns, and return a table."""
    programs = [airflow_remote(server), *peers.prepare(server), local_airflow(server)]
    for program in programs:
        compile_environment(program.path)
    times: dict[tuple[str, str], list[float]] = {}
    for title in TITLES:
        for program in programs:
            program.run(title)  # fills caches
        for _ in range(effort.rounds):
            for program in programs:
                took = seconds(partial(program.run, title))
                times.setdefault((program.title, title), []).append(took)
    figures = {
        f"{title}: {program}": statistics.median(several) for (program, title), several in times.items()
    }
    rows = [
        [program.title, *(milliseconds(figures[f"{title}: {program.title}"]) for title in TITLES)]
        for program in programs
    ]
    for row in rows:
        print(server.version, *row, sep=" | ", file=sys.stderr, flush=True)
    return Result(table(["whole program", "`--help`", "completion", "trigger a DAG"], rows), figures)


def compile_environment(program: Path) -> None:
    """Compile the modules of a program's environment, as pip does when it installs them; uv does not.

    :param program: the file of the program
    """
    python = str(program.with_name("python"))
    paths = "import sysconfig; print(sysconfig.get_path('purelib'), end='')"
    library = subprocess.run([python, "-c", paths], check=True, capture_output=True, text=True).stdout
    # Some packages contain files that are not for this version of Python.
    subprocess.run(
        [python, "-m", "compileall", "-q", "-j", "0", library, *map(str, SOURCES)], stdout=subprocess.DEVNULL
    )


def airflow_remote(server: Server) -> peers.Program:
    """Return this project's program."""
    env = {
        "AIRFLOW_REMOTE_URL": server.airflow_url,
        "AIRFLOW_REMOTE_TOKEN": TOKEN,
        "AIRFLOW_REMOTE_CACHE_DIR": str(server.home / "client-cache"),
    }
    completion = {
        "_AIRFLOW_REMOTE_COMPLETE": "bash_complete",
        "COMP_WORDS": "airflow-remote dags tr",
        "COMP_CWORD": "2",
    }
    commands: peers.Commands = {
        "--help": (["--help"], env),
        "completion": ([], completion | env),
        "dags trigger": (trigger(), env),
    }
    return peers.Program("`airflow-remote`", ROOT / ".venv/client/bin/airflow-remote", commands)


def local_airflow(server: Server) -> peers.Program:
    """Return the local ``airflow``."""
    env = {**ENVIRONMENT, "AIRFLOW_HOME": str(server.home)}
    commands: peers.Commands = {
        "--help": (["--help"], env),
        "completion": ([], peers.argcomplete("airflow dags tr") | env),
        "dags trigger": (trigger(), env),
    }
    return peers.Program("local `airflow`", AIRFLOWS[server.version].with_name("airflow"), commands)


def trigger() -> list[str]:
    """Return the arguments that trigger a DAG; Airflow 2 would otherwise accept only one run per second."""
    return ["dags", "trigger", "--output=json", "--no-replace-microseconds", DAG]
