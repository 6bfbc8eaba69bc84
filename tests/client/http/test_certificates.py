"""CA certificates: the option and the environment variables, in curl's order of precedence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_remote.client import Client
from airflow_remote.exit_status import ExitStatus
from airflow_remote.http.certificates import VARIABLES, find_ca_bundle
from client.program import CompletedRun, call
from client.raw_stub import RawStub
from client.responses import envelope
from client.stub import Stub
from client.tls import Certificates

ALL = ("AIRFLOW_REMOTE_CACERT", *VARIABLES[:3])


@pytest.fixture
def tls_url(tls_stub: RawStub) -> str:
    """Return the URL of a server that answers each command with a success, over TLS."""
    body = json.dumps(envelope()).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    tls_stub.data = head.encode() + body
    return tls_stub.url


def version(url: str, *options: str) -> CompletedRun:
    return call("--url", url, *options, "version")


def test_unknown_authority_is_not_trusted(tls_url: str) -> None:
    completed = version(tls_url)
    assert completed.status == ExitStatus.UNREACHABLE
    assert completed.message() == (
        f"{tls_url}/admin/rest_api has a certificate that is not trusted: unable to get local issuer "
        "certificate; set --cacert to the certificate of its issuer"
    )


def test_wrong_host_name_is_not_trusted(tls_url: str, certificates: Certificates) -> None:
    completed = version(tls_url.replace("127.0.0.1", "localhost"), "--cacert", str(certificates.authority))
    assert completed.status == ExitStatus.UNREACHABLE
    assert "admin/rest_api has a certificate that is not trusted: " in completed.message()
    assert "'localhost'" in completed.message()
    assert completed.message().endswith("; set --url to a name that the certificate has")


def test_server_without_tls_is_reported(stub: Stub) -> None:
    assert version(stub.url.replace("http:", "https:")).message().endswith("so set --url to http://")


def test_option_names_the_authority(tls_url: str, certificates: Certificates) -> None:
    assert version(tls_url, "--cacert", str(certificates.authority)).status == 0
    assert Client(tls_url, cacert=str(certificates.authority)).run("version").ok


@pytest.mark.parametrize("variable", ALL)
def test_variable_names_the_authority(
    monkeypatch: pytest.MonkeyPatch, tls_url: str, certificates: Certificates, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificates.authority))
    assert version(tls_url).status == 0


def test_each_variable_precedes_the_next(
    monkeypatch: pytest.MonkeyPatch, tls_url: str, certificates: Certificates
) -> None:
    for variable in reversed(ALL):
        monkeypatch.setenv(variable, str(certificates.authority))
        assert version(tls_url).status == 0
        monkeypatch.setenv(variable, "/no/such/file")
        assert version(tls_url).status == ExitStatus.LOCAL_FILE
    assert version(tls_url, "--cacert", str(certificates.authority)).status == 0


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")
    assert find_ca_bundle("") is None


@pytest.mark.parametrize("line", ["version", "dags list", "whoami", "job list"])
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.pem", None, "No such file or directory"),
        ("text.pem", "nonsense", "it has no certificate in PEM format"),
        ("empty.pem", "", "it has no certificate in PEM format"),
    ],
)
def test_unusable_file_is_reported(
    tmp_path: Path, tls_url: str, line: str, name: str, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    completed = call("--url", tls_url, "--cacert", str(tmp_path / name), *line.split())
    assert completed.status == ExitStatus.LOCAL_FILE
    assert " of --cacert as CA certificates: " in completed.message()
    assert reason in completed.message()


def test_file_is_not_needed_without_tls(stub: Stub) -> None:
    assert version(stub.url, "--cacert", "/no/such/file").status == 0
