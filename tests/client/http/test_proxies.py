"""Proxies of the environment: a broken one is named, and the server is not blamed."""

from __future__ import annotations

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.exit_status import ExitStatus
from airflow_remote.http.proxies import find_proxy
from client.program import call
from client.raw_stub import RawStub
from client.stub import Stub

DEAD = "127.0.0.1:1"
LINES = ["version", "dags list"]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("http://airflow.invalid", "http_proxy"),
        ("http://airflow.invalid", "HTTP_PROXY"),
        ("https://airflow.invalid", "https_proxy"),
        ("https://airflow.invalid", "all_proxy"),
        ("http://airflow.invalid", "ALL_PROXY"),
    ],
)
def test_dead_proxy_is_named(monkeypatch: pytest.MonkeyPatch, url: str, variable: str, line: str) -> None:
    monkeypatch.setenv(variable, f"http://me:hunter2@{DEAD}")
    completed = call("--url", url, *line.split())
    assert completed.status == ExitStatus.UNREACHABLE
    assert completed.message() == (
        f"no connection to {url}/admin/rest_api through the proxy http://***@{DEAD} ({variable}): "
        f"Connection refused; check {variable}, or set no_proxy=airflow.invalid to connect without it"
    )


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "example.com, 127.0.0.1", "127.0.0.0/8", "*"])
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_is_honored(
    monkeypatch: pytest.MonkeyPatch, stub: Stub, variable: str, no_proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{DEAD}")
    monkeypatch.setenv(variable, no_proxy)
    assert call("--url", stub.url, "version").status == 0


def test_request_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch, stub: Stub) -> None:
    monkeypatch.setenv("http_proxy", stub.url)
    assert call("--url", "http://airflow.invalid", "version").status == 0
    assert stub.request.headers["host"] == "airflow.invalid"
    stub.respond(b"<h1>Denied</h1>", 403, kind="text/html")
    message = call("--url", "http://airflow.invalid", "version").message()
    assert f"version responded through the proxy {stub.url} (http_proxy) with status 403" in message


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("403 Forbidden", "check https_proxy"),
        ("407 Proxy Authentication Required", "check https_proxy"),
        ("502 Bad Gateway", "check https_proxy"),
    ],
)
def test_refused_tunnel_is_the_proxys(
    monkeypatch: pytest.MonkeyPatch, raw_stub: RawStub, status: str, advice: str
) -> None:
    raw_stub.data = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    monkeypatch.setenv("https_proxy", raw_stub.url)
    completed = call("--url", "https://airflow.invalid", "version")
    assert completed.status == ExitStatus.UNREACHABLE
    assert f"through the proxy {raw_stub.url} (https_proxy): " in completed.message()
    assert status in completed.message()
    assert advice in completed.message()


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "try --url https://"),
        (401, "it asks for a login of its own"),
        (407, "a proxy asks for a password"),
        (413, "nginx: client_max_body_size"),
        (502, "the webserver behind it is down: start it"),
        (503, "down or slow"),
        (504, "nginx: proxy_read_timeout"),
    ],
)
def test_error_page_of_a_proxy_is_explained(stub: Stub, status: int, advice: str) -> None:
    page = f"<html><head><title>{status}</title></head><body><center><h1>nginx</h1></center></body></html>"
    stub.respond(page.encode(), status, kind="text/html")
    completed = call("--url", stub.url, "trigger_dag", "x")
    assert completed.status == ExitStatus.NOT_THE_API
    assert f"responded with status {status} and text/html, not JSON: " in completed.message()
    assert advice in completed.message()
    assert len(stub.requests) == 1


def manager_without_pysocks(*arguments: object, **options: object) -> None:
    """Fail as in an environment without PySocks, which the tests' own may have."""
    raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])
def test_socks_proxy_needs_pysocks(monkeypatch: pytest.MonkeyPatch, scheme: str, line: str) -> None:
    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", manager_without_pysocks)
    monkeypatch.setenv("all_proxy", f"{scheme}://me:hunter2@{DEAD}")
    completed = call("--url", "https://airflow.invalid", *line.split())
    assert completed.status == ExitStatus.USAGE
    assert completed.message() == (
        f"the proxy {scheme}://***@{DEAD} (all_proxy) is a SOCKS proxy, which needs PySocks: "
        "run pip install 'requests[socks]', or set no_proxy=airflow.invalid to connect without it"
    )


@pytest.mark.parametrize(
    "address", ["http://[::1", "ftp://proxy", "nonsense://proxy:1", "http://", "http://a b"]
)
def test_invalid_proxy_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("http_proxy", address)
    completed = call("--url", "http://airflow.invalid", "version")
    assert completed.status in (ExitStatus.USAGE, ExitStatus.UNREACHABLE)
    assert f"the proxy {address} (http_proxy)" in completed.message()


@given(address=st.text(max_size=12).filter(lambda text: text.isprintable()))
def test_any_proxy_is_reported_in_one_line(address: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("http_proxy", f"http://{DEAD}/{address}")
        completed = call("--url", "http://airflow.invalid", "version")
        assert completed.status == ExitStatus.UNREACHABLE
        assert "(http_proxy)" in completed.message()


@given(secret=st.from_regex(r"[a-zA-Z0-9/?#:@%]{1,12}", fullmatch=True))
def test_password_of_a_proxy_is_masked(secret: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("https_proxy", f"http://me:{secret}@proxy:3128")
        proxy = find_proxy("https://host")
        assert proxy is not None
        assert proxy.address == "http://***@proxy:3128"
