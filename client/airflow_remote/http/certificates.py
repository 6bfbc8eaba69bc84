"""Choose the CA certificates that verify a server, as curl does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from airflow_remote.errors import LocalFileError

VARIABLES = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that name the certificates, first one first: those of curl, requests and OpenSSL.

An empty one counts as not set. Source: https://curl.se/docs/sslcerts.html; requests prefers its own variable.
"""


class CaBundle(NamedTuple):
    """A file or directory of CA certificates.

    :param path: a PEM file, or a directory prepared by ``openssl rehash``
    :param source: the option or variable that names it
    """

    path: str
    source: str


def find_ca_bundle(cacert: str) -> CaBundle | None:
    """Return the CA certificates to use; None for those that come with ``requests``.

    :param cacert: the value of ``--cacert``; "" for none
    """
    if cacert:
        return CaBundle(cacert, "--cacert")
    return next((CaBundle(path, name) for name in VARIABLES if (path := os.environ.get(name))), None)


def validate_ca_bundle(bundle: CaBundle) -> None:
    """Load the certificates once: ``requests`` reports a bad file as a problem of the server.

    :raises LocalFileError: if they cannot be read, or a file has none
    """
    import ssl

    path = Path(bundle.path)
    try:
        if path.is_dir():
            return
        path.open("rb").close()  # OpenSSL does not tell which file is missing
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        reason = "it has no certificate in PEM format"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    else:
        return
    raise LocalFileError(f"cannot use {bundle.path} of {bundle.source} as CA certificates: {reason}")
