"""Run a real nginx with TLS in front of real servers, on loopback ports."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from live.concurrency import wait_until
from live.curl import fetch_text, run_curl
from live.harness import Server
from live.ports import free_port

NAME = "airflow.example.com"
MAIN = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{text}
}}
"""


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate.

    :param file: the certificate
    :param key: its key
    """

    file: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """Create a certificate for the host name in the guide."""
    certificate = Certificate(folder / "cert.pem", folder / "key.pem")
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    argv += [
        "-addext",
        f"subjectAltName=DNS:{NAME}",
        "-keyout",
        str(certificate.key),
        "-out",
        str(certificate.file),
    ]
    subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=True)
    return certificate


@dataclass(frozen=True)
class Proxy:
    """A running nginx.

    :param port: its port with TLS
    :param plain_port: its port without TLS
    :param certificate: its certificate
    :param folder: the folder of its logs
    """

    port: int
    plain_port: int
    certificate: Certificate
    folder: Path

    @property
    def url(self) -> str:
        """Return its URL, with the host name of the guide."""
        return f"https://{NAME}:{self.port}"

    @property
    def options(self) -> list[str]:
        """Return the curl options that resolve its host name and trust its certificate."""
        ports = (self.port, self.plain_port)
        known = [word for port in ports for word in ("--resolve", f"{NAME}:{port}:127.0.0.1")]
        return [*known, "--cacert", str(self.certificate.file)]

    def curl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run curl against this proxy; the last line of its output is the HTTP status."""
        return run_curl(*self.options, *words, check=check)

    def get(self, *words: str) -> tuple[int, str]:
        """Return the HTTP status and the body of a response."""
        return fetch_text(*self.options, *words)


def replace_once(text: str, old: str, new: str) -> str:
    """Replace a text that must occur exactly once."""
    assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
    return text.replace(old, new)


def address_of(server: Server) -> str:
    """Return the address of a server in nginx's form."""
    return urlsplit(server.url).netloc


def adapt_block(block: str, server: Server, certificate: Certificate, ports: tuple[int, int]) -> str:
    """Return the guide's block with the addresses, ports and files of this machine."""
    text = replace_once(block, "server 127.0.0.1:8080;", f"server {address_of(server)};")
    text = replace_once(text, "listen 443 ssl;", f"listen 127.0.0.1:{ports[0]} ssl;")
    text = replace_once(text, "listen 80;", f"listen 127.0.0.1:{ports[1]};")
    text = replace_once(text, f"/etc/nginx/tls/{NAME}.pem", str(certificate.file))
    return replace_once(text, f"/etc/nginx/tls/{NAME}.key", str(certificate.key))


def replace_locations(block: str, locations: str) -> str:
    """Return the block with other locations."""
    text, count = re.subn(r"( *location [^{]*\{[^}]*\}\n*)+", locations, block)
    assert count == 1, block
    return text


def replace_upstream(block: str, upstream: str) -> str:
    """Return the block with another upstream."""
    text, count = re.subn(r"upstream airflow \{[^}]*\}\n", upstream, block)
    assert count == 1, block
    return text


@contextlib.contextmanager
def run_nginx(folder: Path, text: str, certificate: Certificate, ports: tuple[int, int]) -> Iterator[Proxy]:
    """Run nginx with blocks in its ``http`` section, and stop it afterwards.

    :param folder: the folder for its files
    :param text: the blocks
    :param certificate: the certificate in the blocks
    :param ports: the ports in the blocks: with TLS, and without
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program is not None, "the tests need nginx"
    config = folder / "nginx.conf"
    # By default, root's nginx runs its workers as another user, who cannot enter pytest's folders.
    user = "user root;" if os.getuid() == 0 else ""
    config.write_text(MAIN.format(user=user, folder=folder, text=text), "utf-8")
    argv = [program, "-p", str(folder), "-c", str(config)]
    checked = subprocess.run([*argv, "-t"], capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr, checked.stderr
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        wait_until("nginx listens", lambda: process.poll() is None and _listens(ports[0]))
        yield Proxy(*ports, certificate, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port_pair() -> tuple[int, int]:
    """Return two free ports."""
    return free_port(), free_port()
