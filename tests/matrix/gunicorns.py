"""The versions of gunicorn that installations have, each in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from live.environment import environment_without_airflow
from live.harness import ROOT, python_of

from matrix.environments import run, uv

GUNICORNS = ("20.1.0", "21.2.0", "22.0.0", "23.0.0", "25.1.0", "25.3.0", "26.0.0", "26.2.0", "27.0.1")
C_PARSER = tuple(f"{version}-gunicorn_h1c" for version in ("25.2.0", "25.3.0", "27.0.1"))
"""Versions with a parser written in C."""

TOKEN = "HTTP_REST_API_PLUGIN_HTTP_TOKEN"


def install_gunicorn(name: str) -> Path:
    """Install a version of gunicorn into a folder of its own, once, and return the folder.

    :param name: the version, and after a hyphen a package that it is installed with
    """
    folder = ROOT / ".venv" / f"gunicorn-{name}"
    version, *more = name.split("-")
    if not all((folder / package).exists() for package in ("gunicorn", *more)):
        python = python_of("2.11")
        program = uv()
        pip: list[str | Path] = [python, "-m", "pip"] if program is None else [program, "pip"]
        into: list[str | Path] = (
            ["--target", folder] if program is None else ["--python", python, "--target", folder]
        )
        run(*pip, "install", "-q", *into, f"gunicorn=={version}", *more, "setuptools<81")
    return folder


def drops_names(gunicorn: Path) -> bool:
    """Return whether a gunicorn drops header names with underscores."""
    return int(gunicorn.name.split("-")[1].partition(".")[0]) >= 22


def gunicorn_environment(gunicorn: Path, home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that imports a gunicorn and this checkout."""
    path = os.pathsep.join(map(str, (gunicorn, ROOT / "middleware", ROOT / "tests")))
    return environment_without_airflow(**{"PYTHONPATH": path, "AIRFLOW_HOME": str(home), **more})


def run_snippet(env: dict[str, str], code: str) -> tuple[Any, str]:
    """Run a snippet in Airflow's environment; return the JSON of its last line, and all other output."""
    done = subprocess.run(
        [str(python_of("2.11")), "-W", "ignore", "-c", code],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *earlier, last = done.stdout.splitlines()
    return json.loads(last), "\n".join([*earlier, done.stderr])
