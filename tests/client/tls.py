"""A certificate authority for tests, and a server certificate for 127.0.0.1."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

EXTENSIONS = """
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
[name]
"""
"""What the strict verification of Python 3.13 requires."""


@dataclass(frozen=True)
class Certificates:
    """Certificates that no default CA bundle contains.

    :param authority: file with the authority's certificate
    :param server: file with the server's certificate and key
    """

    authority: Path
    server: Path

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings of a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        return context


def make_certificates(directory: Path) -> Certificates:
    """Create the certificates with the command ``openssl``.

    :param directory: an empty directory
    """
    (directory / "openssl.cnf").write_text(EXTENSIONS)
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config openssl.cnf"
    for command in (
        f"req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=tests -extensions authority",
        f"req {new_key} -keyout server.key -out server.csr -subj /CN=127.0.0.1",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.crt "
        "-extfile openssl.cnf -extensions server",
    ):
        subprocess.run(["openssl", *command.split()], cwd=directory, check=True, capture_output=True)
    server = directory / "server.pem"
    server.write_bytes((directory / "server.key").read_bytes() + (directory / "server.crt").read_bytes())
    return Certificates(directory / "ca.pem", server)
