"""The deployment guides: start servers as the systemd units do, and check them as the guide says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from live.concurrency import wait_until
from live.harness import PREFIX, STOP_SECONDS, Server, python_of, run_servers, start_server
from live.jobs import (
    finish_probes,
    get_job,
    list_jobs,
    probe_arguments,
    read_output,
    submit,
    wait_until_ended,
)
from live.nginx import (
    Certificate,
    adapt_block,
    free_port_pair,
    make_certificate,
    replace_locations,
    replace_once,
    run_nginx,
)
from live.processes import processes_of_home
from live.program import PROGRAM, run_bash
from live.snippets import (
    STATE_VARIABLE,
    TOKEN_VARIABLE,
    UNITS,
    find_snippet,
    find_snippets,
    parse_ini,
    read_pages,
    unit_variables,
)

VERSION = f"{PREFIX}/api/v1.0/version"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


class TestInstalled:
    """Servers with the entry point, the units' variables and a base path."""

    @pytest.fixture(scope="class")
    @classmethod
    def tokens(cls, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
        """Run the guide's commands, and return the files that they create by name."""
        folder = tmp_path_factory.mktemp("etc-airflow")
        for snippet in find_snippets("bash", "systemd.md", "umask 077"):
            script = replace_once(snippet.text.removeprefix("sudo "), "/etc/airflow/", f"{folder}/")
            done = run_bash(script)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        files = {path.name: path for path in folder.iterdir()}
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in files.values())
        return files

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path], tokens: dict[str, Path]) -> Iterator[dict[str, Server]]:
        starts, tokens_of = [], {}
        with contextlib.ExitStack() as stack:
            with ThreadPoolExecutor() as pool:
                for version, home in spare_homes.items():
                    environment, tokens_of[version] = cls.settings(version, home, tokens)
                    options: dict[str, Any] = {"way": "entrypoint", "token": None, "base_path": "/airflow"}
                    one = run_servers({version: home}, environment=environment, **options)
                    starts.append(pool.submit(stack.enter_context, one))
            servers = {version: server for done in starts for version, server in done.result().items()}
            for version, server in servers.items():
                server.token = tokens_of[version]
            yield servers

    @staticmethod
    def settings(version: str, home: Path, tokens: dict[str, Path]) -> tuple[dict[str, str], str]:
        """Return the variables of a unit, with the paths of this machine, and the token."""
        unit = find_snippet("ini", "systemd.md", UNITS[version])
        environment = unit_variables(unit)
        environment.pop("AIRFLOW_HOME")
        environment[STATE_VARIABLE] = str(home / "state")
        environment["AIRFLOW__REST_API_PLUGIN__JOBS_URL"] = f"sqlite:///{home}/shared-jobs.db"
        environment["AIRFLOW__WEBSERVER__ENABLE_PROXY_FIX"] = "True"
        service = parse_ini(unit)["Service"]
        if "LoadCredential" in service:
            file = tokens[Path(service["LoadCredential"]).name]
            environment[f"{TOKEN_VARIABLE}_CMD"] = replace_once(
                environment[f"{TOKEN_VARIABLE}_CMD"], "%d", str(file.parent)
            )
            return environment, file.read_text().strip()
        name, _, token = tokens[Path(service["EnvironmentFile"]).name].read_text().strip().partition("=")
        return {**environment, name: token}, token

    @staticmethod
    def both(servers: dict[str, Server], test: Callable[[Server], None]) -> None:
        """Run a check on both versions in parallel."""
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(test, server) for server in servers.values()]:
                done.result()

    def test_the_checks_of_the_guide_succeed(self, servers: dict[str, Server]) -> None:
        self.both(servers, self.check_installation)

    @staticmethod
    def check_installation(server: Server) -> None:
        exported = find_snippet("bash", "verify.md", "export AIRFLOW_REMOTE_URL")
        exported = replace_once(exported, "https://airflow.example.com", server.url)
        exported = replace_once(exported, "the-token", str(server.token))
        paths = f"{PROGRAM.parent}:{python_of(server.version).parent}:{os.environ['PATH']}"
        home = {"AIRFLOW_REMOTE_CACHE_DIR": str(server.home / "client-cache"), "PATH": paths}

        health = run_bash(exported + find_snippet("bash", "verify.md", "/health"), **home)
        assert health.stdout.strip() == find_snippet("json", "verify.md", "status").strip()
        version = run_bash(exported + find_snippet("bash", "verify.md", "/version"), **home)
        answer = json.loads(version.stdout)
        assert (answer["status"], answer["output"]) == ("OK", server.release)
        client = run_bash(exported + find_snippet("bash", "verify.md", "airflow-remote version"), **home)
        assert (client.returncode, client.stdout) == (0, f"{server.release}\n"), client.stderr
        wrong = run_bash(
            "airflow-remote version", AIRFLOW_REMOTE_URL=server.url, AIRFLOW_REMOTE_TOKEN="x", **home
        )
        assert wrong.returncode == 77
        for url in (server.url.removesuffix("/airflow") + "/elsewhere", f"{server.url}/elsewhere"):
            strange = run_bash(
                "airflow-remote version", AIRFLOW_REMOTE_URL=url, AIRFLOW_REMOTE_TOKEN="x", **home
            )
            assert strange.returncode == 76, (url, strange.stderr)
        for page in ("systemd.md", "upgrade-and-removal.md"):
            jobs = find_snippets("bash", page, "job list")[0].text
            assert run_bash(exported + jobs, **home).returncode == 0
        assert (server.home / "state" / "node").is_file()
        assert not (server.home / "rest_api").exists()

    def test_airflow_plugins_prints_what_the_guide_says(self, servers: dict[str, Server]) -> None:
        self.both(servers, self.check_plugins)

    @staticmethod
    def check_plugins(server: Server) -> None:
        members = {
            2: {"flask_blueprints", "appbuilder_menu_items"},
            3: {"fastapi_root_middlewares", "external_views"},
        }
        command = find_snippet("bash", "verify.md", "airflow plugins")
        path = f"{python_of(server.version).parent}:{os.environ['PATH']}"
        here = {
            "AIRFLOW_HOME": str(server.home),
            "AIRFLOW_CONFIG": str(server.home / "airflow.cfg"),
            "PATH": path,
        }
        for variables_, expected in (({TOKEN_VARIABLE: "x"}, members[server.major]), ({}, set())):
            done = run_bash(f"{command.strip()} --output json", **here, **variables_)
            assert done.returncode == 0, done.stderr
            plugins: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("[{") :])
            [ours] = [plugin for plugin in plugins if plugin["name"] == "airflow_remote"]
            assert {name for name, value in ours.items() if value} == {"name", "source", *expected}

    def test_nginx_below_a_path(
        self, servers: dict[str, Server], certificate: Certificate, tmp_path: Path
    ) -> None:
        locations = find_snippet("nginx", "nginx.md", "location /airflow/ {")
        for version, server in servers.items():
            folder = tmp_path / version
            folder.mkdir()
            ports = free_port_pair()
            block = adapt_block(find_snippet("nginx", "nginx.md", "listen 443"), server, certificate, ports)
            with run_nginx(folder, replace_locations(block, locations), certificate, ports) as proxy:
                header = f"rest_api_plugin_http_token: {server.token}"
                there = f"{proxy.url}/airflow{VERSION}"
                status, body = proxy.get("--interface", "127.0.0.2", "--header", header, there)
                assert status == 200, body
                answer = json.loads(body)
                assert answer["job"]["url"].startswith(f"/airflow{PREFIX}/")
                if server.major == 2:  # whose setting for it can be a variable
                    assert get_job(server, answer["job"]["id"])["peer"] == "127.0.0.2"
                assert proxy.get("--header", header, f"{proxy.url}{VERSION}")[0] == 404

    def test_webservers_share_jobs(self, servers: dict[str, Server]) -> None:
        self.both(servers, self.check_sharing)

    @staticmethod
    def check_sharing(server: Server) -> None:
        other = {**server.options["environment"], STATE_VARIABLE: str(server.home / "other-state")}
        beside = start_server(
            server.version, server.home, token=None, **{**server.options, "environment": other}
        )
        beside.token = server.token
        try:
            job_id = submit(server, "render", key="replicas", **probe_arguments("waits", "replicas"))
            wait_until_printed_begun(server, job_id)
            assert get_job(server, job_id)["state"] == "running"
            assert get_job(beside, job_id)["state"] == "queued"
            assert job_id in {job["id"] for job in list_jobs(beside)}
            for reply in (
                beside.get(f"jobs/{job_id}/output"),
                beside.post(f"jobs/{job_id}/stop"),
                beside.post(
                    "render",
                    data=probe_arguments("waits", "replicas"),
                    extra={"Idempotency-Key": "replicas"},
                ),
            ):
                assert (reply.status, "ask the webserver there" in reply["output"]) == (409, True), reply.text
            finish_probes(server, "replicas")
            assert wait_until_ended(server, job_id)["state"] == "succeeded"
            assert wait_until_ended(beside, job_id)["state"] == "succeeded"
            commands = [row["command"] for row in beside.get("audit")["audit"]]
            assert any("live_faults waits replicas" in command for command in commands)
        finally:
            beside.end()

    def test_the_kill_mode_decides_about_running_commands(self, servers: dict[str, Server]) -> None:
        """Imitate each KillMode as systemd.kill(5) describes it; systemd itself is not run."""
        self.both(servers, self.check_stopping)

    @classmethod
    def check_stopping(cls, server: Server) -> None:
        expected = {
            "control-group": ("failed", -15, "the command was ended by SIGTERM"),
            "mixed": ("lost", None, "job lost"),
            "process": ("succeeded", 0, ""),
        }
        table = read_pages()["systemd.md"]
        for mode, (state, exit_code, message) in expected.items():
            [row] = re.findall(rf"^\| `{mode}`.*\|$", table, re.MULTILINE)
            job_id = submit(server, "render", **probe_arguments("waits", mode))
            wait_until_printed_begun(server, job_id)
            if mode == "control-group":
                signal_processes(server, signal.SIGTERM)
                server.stopped = True
                server.process.communicate(timeout=STOP_SECONDS)
                wait_until("nothing is left", lambda: not processes_of_home(server.home))
            else:
                server.end()
                if mode == "mixed":
                    signal_processes(server, signal.SIGKILL)
            cls.start_again(server)
            if mode == "process":
                now = get_job(server, job_id)["state"]
                assert (now, f"`{now}`" in row) == ("running", True)
                finish_probes(server, mode)
            ended_job = wait_until_ended(server, job_id)
            assert (ended_job["state"], ended_job["exit_code"]) == (state, exit_code), ended_job
            assert ended_job["message"].startswith(message), ended_job
            assert mode == "process" or f"`{state}`" in row
            assert mode != "control-group" or (f"{exit_code}" in row and message in row)

    @staticmethod
    def start_again(server: Server) -> None:
        """Start a server again with exactly the same variables."""
        again = start_server(server.version, server.home, token=None, prepared=True, **server.options)
        again.token = server.token
        server.__dict__.update(vars(again))


def wait_until_printed_begun(server: Server, job_id: str) -> None:
    """Wait until a probe has begun, as its output over HTTP says."""
    wait_until(f"job {job_id} has begun", lambda: "begun" in read_output(server, job_id))


def signal_processes(server: Server, signum: signal.Signals) -> None:
    """Send a signal to every process of a server, except to the one that started it for the test."""
    for pid in processes_of_home(server.home):
        if pid != server.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)


def test_a_token_made_by_the_guide_is_long_enough() -> None:
    token = run_bash(find_snippet("bash", "index.md", "token_urlsafe")).stdout
    assert len(token.strip()) >= 43
