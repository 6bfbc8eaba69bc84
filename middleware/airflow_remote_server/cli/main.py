"""Parse the command line of ``airflow-remote-server``, and run one of its commands.

A command is a module with a function ``add_to``, which describes its arguments and sets ``run``: a function
that takes the parsed arguments and returns the exit status. It imports Airflow only when it runs.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from airflow_remote_server._version import __version__
from airflow_remote_server.cli import db, worker
from airflow_remote_server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROGRAM = "airflow-remote-server"
COMMANDS = (db, worker)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Operate the server side of airflow-remote.")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    :param argv: the arguments; None for those of the process
    :returns: the exit status
    """
    options = make_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except ApiError as error:
        return fail(error.message)
    except ImportError as error:
        need = "run this with the Python of Airflow, after pip install 'airflow-remote[server]'"
        return fail(f"{error}: {need}")


def fail(message: str) -> int:
    """Write an error in one line, and return the exit status of a failure."""
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
