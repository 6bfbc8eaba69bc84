"""The deployment guides: checks that the other test_deployment_* modules do not cover."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from live.concurrency import wait_until
from live.conftest import TOKENS
from live.harness import PREFIX, TOKEN, Server, python_of
from live.jobs import list_jobs
from live.nginx import Certificate, adapt_block, free_port_pair, make_certificate, replace_once, run_nginx
from live.ports import free_port
from live.program import run_client
from live.snippets import FENCE, TOKEN_VARIABLE, find_snippet, known_keys, read_pages

VERSION = f"{PREFIX}/api/v1.0/version"
LIMIT = 16 * 2**20
"""The default of ``max_body_bytes``."""
FAMILIES = {key.partition("_")[0] for key in known_keys()} - {"rest", "deploy"}
"""First words of keys, without those that headers and endpoints also begin with."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


class TestPages:
    @pytest.mark.parametrize("page", sorted(read_pages()))
    def test_no_fence_is_overlooked(self, page: str) -> None:
        """A block with another kind of fence would not be tested."""
        text = read_pages()[page]
        fences = re.findall(r"^[ >]*(?:```|~~~)", text, re.MULTILINE)
        assert len(fences) == 2 * len(FENCE.findall(text))

    def test_keys_in_tables_exist(self) -> None:
        """The tables name keys without a section."""
        words = {
            word for text in read_pages().values() for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)
        }
        keys = {word for word in words if word.partition("_")[0] in FAMILIES}
        assert {"max_wait", "max_running", "max_queued", "max_requests", "state_dir", "jobs_url"} <= keys
        assert keys - known_keys() == set()


class TestNginx:
    def test_its_defaults_drop_the_literal_header(
        self, server: Server, certificate: Certificate, tmp_path: Path
    ) -> None:
        """Without ``underscores_in_headers on``, only the other header names work, as the table says."""
        ports = free_port_pair()
        block = adapt_block(find_snippet("nginx", "nginx.md", "listen 443"), server, certificate, ports)
        with run_nginx(
            tmp_path, replace_once(block, "underscores_in_headers on;", ""), certificate, ports
        ) as proxy:
            statuses = {
                header: proxy.get("--header", f"{header}{TOKEN}", f"{proxy.url}{VERSION}")[0]
                for header in (
                    "rest_api_plugin_http_token: ",
                    "rest-api-plugin-http-token: ",
                    "Authorization: Bearer ",
                )
            }
        assert list(statuses.values()) == [403, 200, 200], statuses

    def test_a_larger_limit_than_the_servers(
        self, server: Server, certificate: Certificate, tmp_path: Path
    ) -> None:
        """A body that nginx accepts and the server rejects gives a 413, or nginx's 502, and runs nothing.

        The status depends on timing: the server responds and closes before nginx has sent the whole body.
        """
        before = {job["id"] for job in list_jobs(server)}
        direct = server.post("version", data=bytes(LIMIT + 1))
        assert (direct.status, direct["output"]) == (413, f"the body is over {LIMIT} bytes")
        ports = free_port_pair()
        block = adapt_block(find_snippet("nginx", "nginx.md", "listen 443"), server, certificate, ports)
        block = replace_once(block, "client_max_body_size 16m;", "client_max_body_size 17m;")
        body = tmp_path / "sent"
        body.write_bytes(bytes(LIMIT + 1))
        with run_nginx(tmp_path, block, certificate, ports) as proxy:
            words = ("--header", f"Authorization: Bearer {TOKEN}", "--data-binary", f"@{body}")
            for _ in range(5):
                status, body_text = proxy.get(*words, f"{proxy.url}{VERSION}")
                if status == 413:
                    assert json.loads(body_text)["output"] == f"the body is over {LIMIT} bytes"
                else:
                    assert (status, "nginx" in body_text) == (502, True), body_text[:300]
            body.write_bytes(bytes(17 * 2**20 + 1))
            status, body_text = proxy.get(*words, f"{proxy.url}{VERSION}")
            assert (status, "nginx" in body_text) == (413, True), body_text[:300]
        assert {job["id"] for job in list_jobs(server)} == before


class TestVerify:
    def test_the_plugin_file_beside_the_package(self, server: Server) -> None:
        """Check the third row of the table and the line below it."""
        command = find_snippet("bash", "verify.md", "airflow plugins").split()
        done = subprocess.run(
            [str(python_of(server.version).parent / command[0]), *command[1:], "--output", "json"],
            env={**server.environment(), TOKEN_VARIABLE: TOKEN},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        plugins: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("[{") :])
        filled = {
            plugin["name"]: {name for name, value in plugin.items() if value} - {"name", "source"}
            for plugin in plugins
        }
        [row] = re.findall(r"^\| `airflow_remote` with `.*$", read_pages()["verify.md"], re.MULTILINE)
        # Both tested versions: the row names Airflow 2, and 3.1 and later.
        [members] = re.findall(rf"`(\w+)` and `(\w+)` \(Airflow {server.major}(?:\.1 and later)?\)", row)
        ours = [filled["rest_api_plugin"], filled["airflow_remote"]]
        assert sorted(ours, key=len) == [set(), set(members)]

    def test_the_check_on_the_page_of_systemd(self, server: Server) -> None:
        [line] = re.findall(r"^curl .*$", find_snippet("bash", "systemd.md", "daemon-reload"), re.MULTILINE)
        done = subprocess.run(
            ["bash", "-c", replace_once(line, "http://127.0.0.1:8080", server.url)],
            env={**os.environ, "NO_PROXY": "*"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"status": "healthy", "ready": True}

    def test_a_mistake_in_the_tokens_file(self, server: Server) -> None:
        """Check its row, and the client's exit status in the other table."""
        path = server.home / TOKENS
        path.write_text("a mistake", "utf-8")
        try:
            reply = server.get("health")
            assert (reply.status, reply["status"]) == (503, "unhealthy")
            assert reply["reason"]
            assert run_client(server, "version").returncode == meaning("429 or 503")
        finally:
            path.write_text("", "utf-8")
        wait_until("the file is read again, without a restart", lambda: server.get("health").status == 200)
        assert run_client(server, "version").returncode == 0

    def test_nobody_listens(self, server3: Server) -> None:
        nowhere = f"http://127.0.0.1:{free_port()}"
        done = run_client(server3, "version", AIRFLOW_REMOTE_URL=nowhere)
        assert done.returncode == meaning("no connection"), done.stderr


def meaning(text: str) -> int:
    """Return the exit status that has this meaning in the table of verify.md."""
    [status] = re.findall(
        rf"^\| (\d+) \| [^|]*{re.escape(text)}[^|]* \|$", read_pages()["verify.md"], re.MULTILINE
    )
    return int(status)
