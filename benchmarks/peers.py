"""The other programs that do the same: Airflow's ``airflowctl`` and Astronomer's ``af``.

Each is installed into an environment of its own, ``.venv/peers/NAME``, and never into this project's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from servers import DAG, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Server

ENVIRONMENTS = ROOT / ".venv/peers"
UV = ROOT / ".venv/uv/bin/uv"

Commands = dict[str, "tuple[list[str], dict[str, str]]"]
"""For each title, the arguments of a program and its environment variables."""


@dataclass(frozen=True)
class Program:
    """A program that can be measured.

    :param title: its name in the table
    :param path: its file
    :param commands: what it can run
    """

    title: str
    path: Path
    commands: Commands = field(default_factory=dict)

    def run(self, title: str) -> None:
        """Run one of its commands, which must succeed."""
        argv, env = self.commands[title]
        completed = subprocess.run(
            [str(self.path), *argv],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if completed.returncode:
            raise RuntimeError(f"{self.path.name} {title} failed: {completed.stderr.strip()[-500:]}")


def prepare(server: Server) -> list[Program]:
    """Install the programs, log them in, and return those that work with this version of Airflow."""
    programs = []
    for prepare_one in (prepare_airflowctl, prepare_af):
        try:
            program = prepare_one(server)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            output = getattr(error, "stderr", None) or ""
            print(f"not measured: {error} {output[-500:]}", file=sys.stderr, flush=True)
        else:
            programs += [program] if program else []
    return programs


def prepare_airflowctl(server: Server) -> Program | None:
    """Install and log in ``airflowctl``, which works with Airflow 3 only."""
    if server.major == 2:
        return None
    path = install("apache-airflow-ctl==0.1.5", "airflowctl")
    home, token = server.home / "airflowctl", server.rest_token()
    # The token comes from the environment, which is faster than the keyring.
    env = {"AIRFLOW_HOME": str(home), "AIRFLOW_CLI_TOKEN": token}
    login = ["auth", "login", "--api-url", server.airflow_url, "--api-token", token, "--skip-keyring"]
    commands: Commands = {
        "log in": (login, env),
        "--help": (["--help"], env),
        "completion": ([], argcomplete("airflowctl dags tr") | env),
        "dags trigger": (["dags", "trigger", DAG], env),
    }
    program = Program("`airflowctl` 0.1.5", path, commands)
    program.run("log in")
    return program


def prepare_af(server: Server) -> Program:
    """Install ``af``."""
    path = install("astro-airflow-mcp==0.9.1", "af")
    env = {
        "HOME": str(server.home),
        "AF_CONFIG": str(server.home / "af.yaml"),
        "AF_TELEMETRY_DISABLED": "1",
        "AIRFLOW_API_URL": server.airflow_url,
    }
    if server.major == 2:
        env |= {"AIRFLOW_USERNAME": "admin", "AIRFLOW_PASSWORD": "admin"}
    else:
        env["AIRFLOW_AUTH_TOKEN"] = server.rest_token()
    completion = {"_AF_COMPLETE": "complete_bash", "COMP_WORDS": "af runs tr", "COMP_CWORD": "2"}
    commands: Commands = {
        "--help": (["--help"], env),
        "completion": ([], completion | env),
        "dags trigger": (["runs", "trigger", DAG], env),
    }
    return Program("`af` 0.9.1", path, commands)


def install(requirement: str, program: str) -> Path:
    """Install a package into an environment of its own, unless it is there, and return its program.

    :param requirement: the name and version of the package
    :param program: the name of the program
    :raises CalledProcessError: if it cannot be installed
    """
    folder = ENVIRONMENTS / requirement.replace("==", "-")
    path = folder / "bin" / program
    if not path.exists():
        uv = shutil.which("uv") or (str(UV) if UV.exists() else None)
        python = str(folder / "bin/python")
        if uv:
            run_quietly([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
            run_quietly([uv, "pip", "install", "-q", "--python", python, requirement])
        else:
            run_quietly([sys.executable, "-m", "venv", "--clear", str(folder)])
            run_quietly([python, "-m", "pip", "install", "-qq", requirement])
    return path


def run_quietly(argv: list[str]) -> None:
    """Run a program, which must succeed."""
    subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def argcomplete(line: str) -> dict[str, str]:
    """Return the environment with which a program that uses argcomplete completes a line."""
    # Otherwise it writes to file descriptor 8.
    return {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": os.devnull,
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "IFS": "\n",
    }
