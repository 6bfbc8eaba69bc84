"""Environments with one release of Airflow each, and the wheel installed as the guide says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from live.harness import ROOT

LOCKS = ROOT / "requirements" / "matrix"
RELEASES = sorted(
    (path.stem.removeprefix("airflow-") for path in LOCKS.glob("airflow-*.txt")),
    key=lambda release: [int(part) for part in release.split(".")],
)
"""The releases with complete pins, oldest first."""

BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The interpreter outside all environments."""


@dataclass(frozen=True)
class Installation:
    """The state of an environment before and after the installation of the wheel.

    :param python: its interpreter
    :param before: the installed distributions, name to version
    :param after: the same, afterwards
    :param checked_before: the output of `pip check`
    :param checked_after: the same, afterwards
    :param constrained: pip's error for an installation with the lock as its constraint file; "" if it
        succeeded
    """

    python: Path
    before: dict[str, str]
    after: dict[str, str]
    checked_before: str
    checked_after: str
    constrained: str


def uv() -> str | None:
    """Return the path of uv; None if it is not installed."""
    own = ROOT / ".venv" / "uv" / "bin" / "uv"
    return shutil.which("uv") or (str(own) if own.exists() else None)


def run(*words: str | Path) -> str:
    """Run a command, and return its standard output.

    :raises AssertionError: if it fails; the message contains its output
    """
    done = subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def create(name: str, *requirements: str, python: str = BASE_PYTHON) -> Path:
    """Create an environment, in place of an existing one, and return its interpreter.

    :param name: the name of its folder in ``.venv``
    :param requirements: arguments of ``pip install`` that name every package
    :param python: the interpreter that creates it
    """
    folder = ROOT / ".venv" / name
    shutil.rmtree(folder, ignore_errors=True)
    interpreter = folder / "bin" / "python"
    if (program := uv()) is not None:
        run(program, "venv", "-q", "--seed", "--python", python, folder)
        run(program, "pip", "install", "-q", "--python", interpreter, "--no-deps", *requirements)
    else:
        run(python, "-m", "venv", folder)
        run(interpreter, "-m", "pip", "install", "-q", "--no-deps", *requirements)
    return interpreter


def distributions(python: Path) -> dict[str, str]:
    """Return the installed distributions of an environment: name to version."""
    listed = run(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
    return dict(line.partition("==")[::2] for line in listed.splitlines() if "==" in line)


def check(python: Path) -> str:
    """Return the output of `pip check`, which may fail for an environment of Airflow's own pins."""
    done = subprocess.run(
        [str(python), "-m", "pip", "check"], capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout


def install(release: str, wheel: Path) -> Installation:
    """Install the wheel with its extra into a new environment of a release.

    :param release: the release of Airflow
    :param wheel: this project's wheel
    """
    lock = LOCKS / f"airflow-{release}.txt"
    python = create(f"airflow-{release}", "-r", str(lock))
    before, checked_before = distributions(python), check(python)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    constrained = subprocess.run(
        [*pip, "--dry-run", "-c", str(lock), f"{wheel}[server]"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    run(*pip, f"{wheel}[server]")
    return Installation(
        python,
        before,
        distributions(python),
        checked_before,
        check(python),
        constrained.stderr if constrained.returncode else "",
    )
