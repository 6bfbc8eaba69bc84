"""Start a real webserver, and run Airflow commands on it with ``airflow-remote``.

``make run`` runs it with the Python of the client's environment, which has no Airflow in it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

SERVE = Path(__file__).resolve().with_name("serve.py")
TOKEN_VARIABLE = "AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"  # noqa: S105 (a name, not a token)
COMMANDS = (
    ["airflow-remote", "version"],
    ["airflow-remote", "trigger_dag", "hello_remote", "--conf", '{"name": "you"}'],
)


class Interrupted(Exception):
    """Raised if the user or the system stops the demonstration."""


def main(argv: list[str] | None = None) -> int:
    """Run the demonstration and return its exit code."""
    options = parse(argv)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, interrupt)
    token = secrets.token_urlsafe(24)
    server = None
    try:
        server = start_server(options.airflow_python, options.port, token)
        page = wait_until_ready(server)
        if page is None:
            return server.wait() or 1
        code = demonstrate(page.partition("/admin/")[0], token)
        show_addresses(page, token)
        if options.once:
            return code
        print("\nIt stays up until Ctrl-C.", flush=True)
        return server.wait() or 1
    except Interrupted:
        return 0
    finally:
        # A second Ctrl-C must not interrupt the cleanup.
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_IGN)
        if server is not None:
            server.terminate()
            server.wait()


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--airflow-python", type=Path, required=True, help="Python of an Airflow environment")
    parser.add_argument("--port", default="8080", help="port of the webserver (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="end after the commands, with their exit code")
    return parser.parse_args(argv)


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Interrupt the current wait."""
    raise Interrupted


def start_server(python: Path, port: str, token: str) -> subprocess.Popen[str]:
    """Start examples/serve.py; its log stays in its home, and its errors are shown."""
    print("starting Airflow, which takes some seconds ...", flush=True)
    return subprocess.Popen(
        [str(python), str(SERVE), "--port", port, "--quiet"],
        env={
            **os.environ,
            TOKEN_VARIABLE: token,
        },  # a variable, since every user of a machine can read arguments
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches only this program, which then stops the server
    )


def wait_until_ready(server: subprocess.Popen[str]) -> str | None:
    """Return the page's URL from the server's ready line; None if the server reported an error."""
    assert server.stdout is not None  # noqa: S101 (for the type checker: stdout=PIPE above)
    for line in server.stdout:
        if line.startswith("ready: "):
            return line[len("ready: ") :].strip()
    return None


def demonstrate(url: str, token: str) -> int:
    """Run the commands; return the exit code of the first one that fails, or 0."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_REMOTE_")}
    env.update(AIRFLOW_REMOTE_URL=url, AIRFLOW_REMOTE_TOKEN=token, NO_PROXY="127.0.0.1")
    executables = Path(sys.executable).parent
    first_failure = 0
    for command in COMMANDS:
        print(f"\n$ {shlex.join(command)}", flush=True)
        started = time.monotonic()
        code = subprocess.run([str(executables / command[0]), *command[1:]], env=env, check=False).returncode
        print(f"(exit code {code}, {time.monotonic() - started:.1f} s)", flush=True)
        first_failure = first_failure or code
    return first_failure


def show_addresses(page: str, token: str) -> None:
    """Print how to reach the same server with curl and with a browser."""
    print("\nThe same without the client:")
    print(f'  curl --header "rest_api_plugin_http_token: {token}" {page}api/v1.0/version')
    print(f"Page:  {page}")
    print(f"Token: {token}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
