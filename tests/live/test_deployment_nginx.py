"""The deployment guides: the nginx configuration in front of real servers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.curl import run_curl
from live.harness import PREFIX, TOKEN, Server
from live.jobs import finish_probes, probe_arguments, submit, wait_until_begun, wait_until_ended
from live.nginx import (
    NAME,
    Certificate,
    Proxy,
    adapt_block,
    address_of,
    free_port_pair,
    make_certificate,
    replace_once,
    replace_upstream,
    run_nginx,
)
from live.program import PROGRAM
from live.snippets import (
    find_snippet,
    read_pages,
)

VERSION = f"{PREFIX}/api/v1.0/version"
CLIENT = """
import socket
from airflow_remote.cli.main import main
real = socket.getaddrinfo
def known(host, *rest, **more):
    return real("127.0.0.1" if host == "{NAME}" else host, *rest, **more)
socket.getaddrinfo = known
raise SystemExit(main(["version"]))
"""
"""Run the client as if DNS resolved the host name in the guide."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def proxy(server: Server, certificate: Certificate, tmp_path: Path) -> Iterator[Proxy]:
    """Run the guide's block in front of a shared server."""
    ports = free_port_pair()
    block = adapt_block(find_snippet("nginx", "nginx.md", "listen 443"), server, certificate, ports)
    with run_nginx(tmp_path, block, certificate, ports) as proxy:
        yield proxy


class TestNginx:
    @pytest.mark.parametrize(
        "header",
        [
            f"rest_api_plugin_http_token: {TOKEN}",
            f"rest-api-plugin-http-token: {TOKEN}",
            f"Authorization: Bearer {TOKEN}",
        ],
        ids=lambda header: header.partition(":")[0],
    )
    def test_the_token_arrives(self, server: Server, proxy: Proxy, header: str) -> None:
        status, body = proxy.get("--header", header, f"{proxy.url}{VERSION}")
        assert status == 200, body
        assert json.loads(body)["output"] == server.release

    @pytest.mark.parametrize("words", [[], ["--header", "rest_api_plugin_http_token: wrong"]])
    def test_other_tokens_are_rejected(self, server: Server, proxy: Proxy, words: list[str]) -> None:
        status, body = proxy.get(*words, f"{proxy.url}{VERSION}")
        assert (status, json.loads(body)["output"]) == (403, "Token Authentication Failed")

    def test_airflows_own_pages_work(self, server: Server, proxy: Proxy) -> None:
        path = "/health" if server.major == 2 else "/api/v2/version"
        assert proxy.get(f"{proxy.url}{path}")[0] == 200

    def test_only_tls_is_served_and_its_certificate_counts(self, server: Server, proxy: Proxy) -> None:
        status, _ = proxy.get(f"http://{NAME}:{proxy.plain_port}{VERSION}")
        assert status == 301
        done = proxy.curl("--head", f"http://{NAME}:{proxy.plain_port}{VERSION}")
        assert f"Location: https://{NAME}{VERSION}" in done.stdout
        untrusted = run_curl("--resolve", f"{NAME}:{proxy.port}:127.0.0.1", proxy.url, check=False)
        other = ("--resolve", f"other.example:{proxy.port}:127.0.0.1", f"https://other.example:{proxy.port}/")
        strange = proxy.curl(*other, check=False)
        assert (untrusted.returncode, strange.returncode) == (60, 60)  # curl's: not verified

    def test_a_stream_arrives_as_it_comes(self, server: Server, proxy: Proxy) -> None:
        """The first line arrives while the command still waits."""
        name = f"through {proxy.port}"
        with streaming(proxy, probe_arguments("waits", name)) as client:
            assert client.stdout is not None
            assert client.stdout.readline().startswith("begun ")
            assert client.poll() is None
            finish_probes(server, name)
            assert "and done\n" in client.stdout.read()
            assert client.wait(timeout=60) == 0

    def test_a_truncated_stream_is_recognizable(self, server: Server, proxy: Proxy) -> None:
        """A plain stream lacks its end; an event stream ends with an event that says so."""
        arguments, key = probe_arguments("waits", f"cut {proxy.port}"), f"cut {proxy.port}"
        # The streams follow one command, which has begun: a busy machine may need a second for that.
        job_id = submit(server, "render", key, **arguments)
        wait_until_begun(server, job_id)
        short = ("--header", "Prefer: wait=1", "--header", f"Idempotency-Key: {key}")
        with streaming(proxy, arguments, *short) as client:
            assert client.stdout is not None
            assert client.stdout.read().startswith("begun ")
            code = client.wait(timeout=60)
            assert code == 18  # curl's: the end of the body is missing
        with streaming(proxy, arguments, *short, kind="application/x-ndjson") as client:
            assert client.stdout is not None
            events = [json.loads(line)["event"] for line in client.stdout]
        finish_probes(server, key)
        assert (events[0], events[-1]) == ("started", "unfinished")
        assert wait_until_ended(server, job_id)["state"] == "succeeded"

    def test_a_body_has_a_limit(self, server: Server, proxy: Proxy, tmp_path: Path) -> None:
        """nginx and the server have the same limit, so nginx always rejects the body first."""
        limit = 16 * 2**20
        file = tmp_path / "sent"
        for size in (limit, limit + 1):
            with file.open("wb") as body:
                body.truncate(size)
            status, body_text = proxy.get(
                "--header",
                f"Authorization: Bearer {TOKEN}",
                "--data-binary",
                f"@{file}",
                f"{proxy.url}{VERSION}",
            )
            assert (status == 413, body_text.startswith("{")) == (size > limit, size <= limit), body_text[
                :300
            ]

    def test_the_client_works_behind_it(self, server: Server, proxy: Proxy) -> None:
        code = CLIENT.replace("{NAME}", NAME)
        done = subprocess.run(
            [str(PROGRAM.with_name("python")), "-c", code],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(proxy.folder),
                "AIRFLOW_REMOTE_URL": proxy.url,
                "AIRFLOW_REMOTE_TOKEN": TOKEN,
                "REQUESTS_CA_BUNDLE": str(proxy.certificate.file),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"{server.release}\n"), done.stderr

    @pytest.mark.parametrize("method", ["ip_hash;", "hash "])
    def test_several_webservers(
        self, main_servers: dict[str, Server], certificate: Certificate, tmp_path: Path, method: str
    ) -> None:
        """Use servers of two versions, so that the response tells them apart."""
        upstream = find_snippet("nginx", "nginx.md", "ip_hash;")
        first, second = main_servers.values()
        if method == "hash ":
            [line] = re.findall(r"use `(hash [^`]*;)`", read_pages()["nginx.md"].replace("\n", " "))
            upstream = replace_once(upstream, "ip_hash;", line)
        ports = free_port_pair()
        block = adapt_block(find_snippet("nginx", "nginx.md", "listen 443"), first, certificate, ports)
        upstream = replace_once(upstream, "10.0.0.11:8080", address_of(first))
        upstream = replace_once(upstream, "10.0.0.12:8080", address_of(second))
        with run_nginx(tmp_path, replace_upstream(block, upstream), certificate, ports) as proxy:
            words = ("--header", f"rest_api_plugin_http_token: {TOKEN}", f"{proxy.url}{VERSION}")
            releases = {json.loads(proxy.get(*words)[1])["output"] for _ in range(6)}
        assert len(releases) == 1

    def test_networks_can_be_shut_out(self, server: Server, certificate: Certificate, tmp_path: Path) -> None:
        ports = free_port_pair()
        block = adapt_block(find_snippet("nginx", "nginx.md", "listen 443"), server, certificate, ports)
        rule = find_snippet("nginx", "nginx.md", "deny  all;")
        block = replace_once(block, "location /admin/rest_api {", "location /admin/rest_api {\n" + rule)
        with run_nginx(tmp_path, block, certificate, ports) as proxy:
            status, body = proxy.get("--header", f"Authorization: Bearer {TOKEN}", f"{proxy.url}{VERSION}")
            assert (status, "nginx" in body) == (403, True)
            assert (
                proxy.get(f"{proxy.url}/health" if server.major == 2 else f"{proxy.url}/api/v2/version")[0]
                == 200
            )


@contextlib.contextmanager
def streaming(
    proxy: Proxy, arguments: dict[str, str], *words: str, kind: str = "text/plain"
) -> Iterator[subprocess.Popen[str]]:
    """Run curl on a stream, and always stop it."""
    data = [word for name, value in arguments.items() for word in ("--data-urlencode", f"{name}={value}")]
    url = f"{proxy.url}{PREFIX}/api/v1.0/render"
    argv = ["curl", "--silent", "--show-error", *proxy.options, "--no-buffer", "--header", f"Accept: {kind}"]
    argv += ["--header", f"rest_api_plugin_http_token: {TOKEN}", *words, *data, url]
    env = {**os.environ, "NO_PROXY": "*"}
    with subprocess.Popen(
        argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        try:
            yield client
        finally:
            client.kill()
