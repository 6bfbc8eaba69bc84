"""The command-line options of ``serve.py``."""

from __future__ import annotations

import argparse

WAYS = ("plugin", "entrypoint", "gunicorn", "code")


def parse_options(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Start a real Airflow webserver, wrapped by the middleware, in a home of its own."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port_number, default=8080, help="port, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--token", type=not_empty, help="token that clients must send (default: none is configured)"
    )
    parser.add_argument(
        "--home", type=not_empty, help="AIRFLOW_HOME to keep and reuse (default: a throw-away folder)"
    )
    parser.add_argument(
        "--way", choices=WAYS, default="plugin", help="how the middleware gets in (default: %(default)s)"
    )
    parser.add_argument(
        "--base-path", type=base_path, help="path in front of Airflow's own, for example /air"
    )
    parser.add_argument("--workers", type=positive, help="number of web worker processes")
    parser.add_argument(
        "--prepared", action="store_true", help="use the database of the home as an earlier run left it"
    )
    parser.add_argument("--quiet", action="store_true", help="write the server's log to HOME/server.log")
    return parser.parse_args(argv)


def port_number(text: str) -> int:
    """Convert an argument to a TCP port."""
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"not a port: {text!r}")
    return number


def positive(text: str) -> int:
    """Convert an argument to a number of at least 1."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"not a number of at least 1: {text!r}")
    return number


def not_empty(text: str) -> str:
    """Refuse an empty argument, which would otherwise pass for "not given"."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def base_path(text: str) -> str:
    """Convert an argument to a URL path that begins with a slash and does not end with one."""
    path = text.rstrip("/")
    if not path.startswith("/"):
        raise argparse.ArgumentTypeError(f"must begin with a slash: {text!r}")
    return path
