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
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import airflow_home
from process_group import POLL, ProcessGroup, Stop
from serve_options import parse_options

PREPARATION = Path(__file__).resolve().with_name("airflow_home.py")
TOKEN_VARIABLE = "AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"  # noqa: S105 (a name, not a token)

READY_TIMEOUT = 180.0  # seconds; a cold disk and a busy machine need most of a minute


class ServeError(Exception):
    """Raised if the server cannot be started; the user sees its text, which is one line."""


def main(argv: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    options = parse_options(argv)
    stop = Stop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    try:
        with home_folder(options.home) as home:
            return serve(options, home, stop)
    except ServeError as error:
        print(f"serve.py: {error}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def home_folder(kept: str | None) -> Iterator[Path]:
    """Yield the AIRFLOW_HOME: the given one, or a temporary one."""
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
        # A command that outlives its server may still write; the second pass removes that.
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def serve(options: argparse.Namespace, home: Path, stop: Stop) -> int:
    """Prepare the home, run the server in it until a stop is requested, and return the exit code."""
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
            # Listen, too: a listener that shares its port does not prevent the bind alone.
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
    """Return the environment of the server: the caller's variables and those of the options."""
    env = dict(os.environ)
    env["AIRFLOW_HOME"] = str(home)
    env["AIRFLOW_CONFIG"] = str(home / "airflow.cfg")
    # In places, Airflow 2 starts `airflow` and `gunicorn` by name, which must be those of this environment.
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
    """Return the base path in the environment or airflow.cfg; "" if there is none."""
    section = "webserver" if major == 2 else "api"
    config = configparser.ConfigParser(interpolation=None)
    config.read(home / "airflow.cfg", encoding="utf-8")
    variable = f"AIRFLOW__{section.upper()}__BASE_URL"
    base_url: str = env[variable] if variable in env else config.get(section, "base_url", fallback="")
    return urlsplit(base_url).path.rstrip("/")


def run_preparation(options: argparse.Namespace, home: Path, env: dict[str, str], stop: Stop) -> bool:
    """Prepare the home in a separate process; return False if a stop was requested meanwhile."""
    log = home / "prepare.log"
    argv = [sys.executable, str(PREPARATION), options.way, *(["--prepared"] if options.prepared else [])]
    # Two servers may share a home; they prepare it one after the other.
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
        config = "python:airflow_remote_server.gunicorn_config"
        workers = ["--workers", str(options.workers)] if options.workers is not None else []
        return [*python, "gunicorn", "-c", config, "--bind", bind, *workers, app]
    if major == 2:
        # One for each port, so that two servers can share a home. An old file may name an unrelated process.
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
    """Yield the file for the server's output. It is never our stdout, which carries only the ready line."""
    if quiet:
        with (home / "server.log").open("a", encoding="utf-8") as file:
            yield file
    else:
        yield sys.stderr


def health_path(major: int) -> str:
    """Return the path of Airflow's own health check."""
    return "/health" if major == 2 else "/api/v2/monitor/health"


def wait_until_answering(server: ProcessGroup, url: str, stop: Stop) -> bool:
    """Wait until the server is healthy; return False if it ended, or if a stop was requested."""
    # A proxy must not get requests to this machine.
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
