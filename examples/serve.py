"""Start a real Airflow webserver, wrapped by the middleware, in an AIRFLOW_HOME of its own.

Run it with the Python of an environment that holds Airflow and this project's server side::

    .venv/airflow-3.3/bin/python examples/serve.py --port 8080 --token secret

It prints one line, ``ready: URL``, when the server answers, and ends cleanly on SIGTERM or Ctrl-C. The home
is a throw-away folder unless ``--home`` names one. The caller's Airflow variables (``AIRFLOW__SECTION__KEY``)
win over all that is prepared here, except for what an option of this program asks for.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import TextIO
from urllib.parse import urlsplit

import airflow_home

PREPARATION = Path(__file__).resolve().with_name("airflow_home.py")
WAYS = ("plugin", "entrypoint", "gunicorn", "code")
TOKEN_VARIABLE = "AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"  # noqa: S105 (a name, not a token)

READY_TIMEOUT = 180.0  # seconds; a cold disk and a busy machine need most of a minute
STOP_GRACE = 20.0  # seconds between SIGTERM and SIGKILL; a running request may finish
POLL = 0.1  # seconds


class ServeError(Exception):
    """Raised when the server cannot be started; its text is what the user sees, in one line."""


class Stop:
    """A signal handler that only remembers that the end was asked for."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Remember; a second signal must not interrupt the cleaning up that the first one started."""
        self.requested = True


class ProcessGroup:
    """A program in a session of its own, so that it can be ended with everything that it forked."""

    def __init__(self, argv: list[str], env: dict[str, str], output: TextIO) -> None:
        self._process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

    def exit_code(self) -> int | None:
        """Return the exit code of the program itself, None while it runs."""
        return self._process.poll()

    def end(self) -> None:
        """End every process of the group: politely, then by force."""
        for signum, seconds in ((signal.SIGTERM, STOP_GRACE), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not self._alive():
                    return
                time.sleep(POLL)

    def _alive(self) -> bool:
        self._process.poll()  # reaps the leader, whose pid would keep the group in existence
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True


def main(argv: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    options = parse(argv)
    stop = Stop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    try:
        with home_folder(options.home) as home:
            return serve(options, home, stop)
    except ServeError as error:
        print(f"serve.py: {error}", file=sys.stderr)
        return 1


def parse(argv: list[str] | None) -> argparse.Namespace:
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


@contextlib.contextmanager
def home_folder(kept: str | None) -> Iterator[Path]:
    """Yield the AIRFLOW_HOME: the one to keep, or a new one that is removed at the end."""
    if kept is not None:
        home = Path(kept).absolute()
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServeError(f"cannot use the home {home}: {error.strerror}") from error
        yield home
        return
    home = Path(tempfile.mkdtemp(prefix="airflow-remote-"))
    try:
        yield home
    finally:
        # A command that outlives its server may still write; the second pass gets what it left.
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def serve(options: argparse.Namespace, home: Path, stop: Stop) -> int:
    """Prepare the home, run the server in it until the end is asked for, return the exit code."""
    airflow = airflow_version()
    major = int(airflow.partition(".")[0])
    if options.way == "plugin" and not airflow_home.PLUGIN.exists():
        raise ServeError(f"there is no plugins/{airflow_home.PLUGIN.name}; choose another --way")
    port = free_port(options.host, options.port)
    airflow_home.write_airflow_cfg(home, major)
    env = environment(options, home, major, port)
    url = url_of(options.host, port) + configured_base_path(env, home, major)

    login = "; user admin, password admin" if major == 2 else ""
    print(f"airflow {airflow} in {home}, way in: {options.way}{login}", file=sys.stderr, flush=True)
    if not run_preparation(options, home, env, stop):
        return 0

    with server_output(home, options.quiet) as output:
        server = ProcessGroup(server_argv(options, home, major, port), env, output)
        try:
            if wait_until_answering(server, url + health_path(major), stop):
                print(f"ready: {url}/admin/rest_api/", flush=True)
            while not stop.requested and server.exit_code() is None:
                time.sleep(POLL)
            code = server.exit_code()
        finally:
            server.end()
    if stop.requested:
        return 0
    if options.quiet:
        print(tail(home / "server.log"), file=sys.stderr)
    raise ServeError(f"the server ended by itself, with exit code {code}; its log says why")


def airflow_version() -> str:
    """Return the version of the Airflow that this Python has."""
    try:
        return version("apache-airflow")
    except PackageNotFoundError:
        raise ServeError(f"{sys.executable} has no Airflow; use the Python of .venv/airflow-3.3") from None


def free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raise ServeError if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # Listening too: to be bound does not exclude a listener that allows others beside it.
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ServeError(f"port {port} is taken; choose another: --port N (make: PORT=N)") from None
            raise ServeError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        return int(probe.getsockname()[1])


def url_of(host: str, port: int) -> str:
    """Return the address at which this machine reaches the server."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def environment(options: argparse.Namespace, home: Path, major: int, port: int) -> dict[str, str]:
    """Return the environment of the server: the caller's, and what the options ask for."""
    env = dict(os.environ)
    env["AIRFLOW_HOME"] = str(home)
    env["AIRFLOW_CONFIG"] = str(home / "airflow.cfg")
    # Airflow 2 starts `airflow` and `gunicorn` by name in places; they must be those of this environment.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    section = "WEBSERVER" if major == 2 else "API"
    if options.token is not None:
        env[TOKEN_VARIABLE] = options.token
    if options.workers is not None:
        env[f"AIRFLOW__{section}__WORKERS"] = str(options.workers)
    if options.base_path is not None:
        env[f"AIRFLOW__{section}__BASE_URL"] = url_of(options.host, port) + options.base_path
    return env


def configured_base_path(env: dict[str, str], home: Path, major: int) -> str:
    """Return the path that Airflow answers under, "" for none: from the environment or airflow.cfg."""
    section = "webserver" if major == 2 else "api"
    config = configparser.ConfigParser(interpolation=None)
    config.read(home / "airflow.cfg", encoding="utf-8")
    variable = f"AIRFLOW__{section.upper()}__BASE_URL"
    base_url: str = env[variable] if variable in env else config.get(section, "base_url", fallback="")
    return urlsplit(base_url).path.rstrip("/")


def run_preparation(options: argparse.Namespace, home: Path, env: dict[str, str], stop: Stop) -> bool:
    """Prepare the home in a process of its own; return False if the end was asked for meanwhile."""
    log = home / "prepare.log"
    argv = [sys.executable, str(PREPARATION), options.way]
    # Two servers may share a kept home; they prepare it one after the other.
    with (home / ".prepare.lock").open("w", encoding="utf-8") as lock:
        while not stop.requested:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(POLL)
        if stop.requested:
            return False
        with log.open("w", encoding="utf-8") as output:
            process = ProcessGroup(argv, env, output)
            try:
                while (code := process.exit_code()) is None and not stop.requested:
                    time.sleep(POLL)
            finally:
                process.end()
    if stop.requested:
        return False
    if code != 0:
        print(tail(log), file=sys.stderr)
        raise ServeError(f"the home could not be prepared (exit code {code})")
    return True


def server_argv(options: argparse.Namespace, home: Path, major: int, port: int) -> list[str]:
    """Return the command line of the server itself."""
    python = [sys.executable, "-m"]
    bind = f"[{options.host}]:{port}" if ":" in options.host else f"{options.host}:{port}"
    if options.way == "gunicorn":
        app = "airflow.www.app:cached_app()" if major == 2 else "airflow.api_fastapi.main:app"
        config = "python:airflow_remote_server.integrations.gunicorn_config"
        workers = ["--workers", str(options.workers)] if options.workers is not None else []
        return [*python, "gunicorn", "-c", config, "--bind", bind, *workers, app]
    if major == 2:
        # One for each port, so that two servers can share a home. A left-over names a stranger's process.
        pid_file = home / f"webserver-{port}.pid"
        pid_file.unlink(missing_ok=True)
        return [*python, "airflow", "webserver", "-H", options.host, "-p", str(port), "--pid", str(pid_file)]
    listen = ["--host", options.host, "--port", str(port)]
    if options.way == "code":
        workers = ["--workers", str(options.workers)] if options.workers is not None else []
        return [*python, "uvicorn", "--app-dir", str(home), *listen, *workers, "remote_main:app"]
    return [*python, "airflow", "api-server", *listen]


@contextlib.contextmanager
def server_output(home: Path, quiet: bool) -> Iterator[TextIO]:
    """Yield where the server writes to. Never our stdout, which carries the ready line alone."""
    if quiet:
        with (home / "server.log").open("a", encoding="utf-8") as file:
            yield file
    else:
        yield sys.stderr


def health_path(major: int) -> str:
    """Return the path of Airflow's own health check."""
    return "/health" if major == 2 else "/api/v2/monitor/health"


def wait_until_answering(server: ProcessGroup, url: str, stop: Stop) -> bool:
    """Wait for a good answer; return False if the server ended, or the end was asked for, before that."""
    # A proxy is no way to one's own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_TIMEOUT
    while server.exit_code() is None and not stop.requested:
        try:
            with opener.open(url, timeout=5):
                return True
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}"
        except (OSError, ValueError) as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise ServeError(f"no good answer from {url} in {READY_TIMEOUT:.0f} s: {reason}")
        time.sleep(POLL)
    return False


def tail(path: Path, lines: int = 25) -> str:
    """Return the last lines of a log."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


if __name__ == "__main__":
    sys.exit(main())
