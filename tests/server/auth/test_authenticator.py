from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote import TOKEN
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from airflow_remote_server.auth.authenticator import Authenticator
from airflow_remote_server.auth.local_requests import FORWARDING_HEADERS, HOST, is_loopback_host
from airflow_remote_server.config.settings import Settings
from airflow_remote_server.errors import AuthenticationFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = "rest-api-plugin-http-token"
TOKEN_KEY = "HTTP_REST_API_PLUGIN_HTTP_TOKEN"
ROUTES = [
    "/api/v1.0/version",
    "/api/v1.0/nope",
    "/api?api=version",
    "/api",
    "/nowhere",
    "/api/v1.0/",
    "/static",
]


def request(
    headers: dict[str, str] | None = None, peer: str = "127.0.0.1", host: str = "localhost:8080"
) -> Request:
    environ = EnvironBuilder("/", headers=Headers(headers or {})).get_environ()
    return Request(environ | {"REMOTE_ADDR": peer, "HTTP_HOST": host})


@pytest.fixture
def with_token(make_settings: Callable[..., Settings]) -> Authenticator:
    return Authenticator(make_settings())


@pytest.fixture
def without_token(make_settings: Callable[..., Settings]) -> Authenticator:
    return Authenticator(make_settings(token=None))


@pytest.mark.parametrize(
    "headers",
    [
        {"rest_api_plugin_http_token": TOKEN},
        {"rest-api-plugin-http-token": TOKEN},
        {"Rest-Api-Plugin-Http-Token": TOKEN},
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": f"bearer  {TOKEN}"},
    ],
)
def test_token_is_accepted_in_each_header(with_token: Authenticator, headers: dict[str, str]) -> None:
    assert with_token.authenticate(request(headers, peer="192.0.2.1", host="example.com")).name == "token"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {HEADER: ""},
        {HEADER: TOKEN[:-1]},
        {HEADER: TOKEN + "x"},
        {HEADER: TOKEN.upper()},
        {HEADER: f"{TOKEN},{TOKEN}"},
        {HEADER: f"{TOKEN},x"},
        {HEADER: f"x,{TOKEN}"},
        {HEADER: f"Bearer {TOKEN}"},
        {HEADER: "wrong", "Authorization": f"Bearer {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN},Bearer {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": f"token={TOKEN}"},
    ],
)
def test_other_headers_are_rejected(with_token: Authenticator, headers: dict[str, str]) -> None:
    with pytest.raises(AuthenticationFailed):
        with_token.authenticate(request(headers))


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF)).filter(lambda text: text.strip() != TOKEN)
)
def test_other_texts_are_rejected(value: str) -> None:
    settings = Settings(TOKEN, (3, 3), Path(), Path(), Path())
    environ = EnvironBuilder("/").get_environ() | {TOKEN_KEY: value}
    with pytest.raises(AuthenticationFailed):
        Authenticator(settings).authenticate(Request(environ))


def test_token_may_contain_any_characters(make_settings: Callable[..., Settings]) -> None:
    environ = EnvironBuilder("/").get_environ()
    environ[TOKEN_KEY] = "pässwörd".encode().decode("latin-1")  # as WSGI decodes it
    assert Authenticator(make_settings(token="pässwörd")).authenticate(Request(environ)).name == "token"


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Z")), min_size=1), st.booleans())
def test_token_is_compared_as_bytes(token: str, bearer: bool) -> None:
    settings = Settings(token, (3, 3), Path(), Path(), Path())
    sent = token.encode().decode("latin-1")
    name, value = ("HTTP_AUTHORIZATION", f"Bearer {sent}\t") if bearer else (TOKEN_KEY, f" {sent} ")
    environ = EnvironBuilder("/").get_environ() | {name: value}
    assert Authenticator(settings).authenticate(Request(environ)).name == "token"


@pytest.mark.parametrize("token", ["voilà", "à"])
def test_token_may_end_in_byte_a0(token: str) -> None:
    assert token.encode().endswith(b"\xa0")
    environ = EnvironBuilder("/").get_environ() | {TOKEN_KEY: token.encode().decode("latin-1")}
    settings = Settings(token, (3, 3), Path(), Path(), Path())
    assert Authenticator(settings).authenticate(Request(environ)).name == "token"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "airflow.localhost"])
def test_without_a_token_this_machine_is_accepted(without_token: Authenticator, peer: str, host: str) -> None:
    assert without_token.authenticate(request(peer=peer, host=host)).name == "anonymous"


@pytest.mark.parametrize(
    "peer", ["192.0.2.1", "10.0.0.1", "::2", "", "unix:", "127.0.0.1, 192.0.2.1", "localhost"]
)
def test_without_a_token_other_machines_are_refused(without_token: Authenticator, peer: str) -> None:
    with pytest.raises(Refused, match="rest_api_plugin_expected_http_token"):
        without_token.authenticate(request(peer=peer))


@pytest.mark.parametrize("header", FORWARDING_HEADERS)
def test_without_a_token_proxied_requests_are_refused(without_token: Authenticator, header: str) -> None:
    name = header.removeprefix("HTTP_").replace("_", "-") + ("x" if header.endswith("_") else "")
    with pytest.raises(Refused, match="proxy"):
        without_token.authenticate(request({name: "127.0.0.1"}))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "192.0.2.1:8080",
        "127.0.0.1.nip.io",
        "[::1",
        "a..b",
        "evil@127.0.0.1",
        "evil.example:80@localhost",
        "localhost:80:80",
        "localhost/x",
        "localhost\\evil",
        "localhost,evil.example",
        "localhost evil",
        "localhost\n",
        "localhost?x",
        "127.0.0.1#x",
        "[127.0.0.1]x",
        "\u017focalhost",
        "",
    ],
)
def test_without_a_token_rebound_host_names_are_refused(without_token: Authenticator, host: str) -> None:
    with pytest.raises(Refused, match="loopback host"):
        without_token.authenticate(request(host=host))


@given(st.text(), st.sampled_from(["127.0.0.1", "localhost", "[::1]"]))
def test_loopback_host_is_nothing_but_host_and_port(more: str, host: str) -> None:
    for text in (more + host, host + more):
        if is_loopback_host(text):
            assert HOST.fullmatch(text)
            assert not set(text) & set("@/\\?#, \t")


@pytest.mark.parametrize(
    "header",
    [
        "CF-Connecting-IP",
        "Fastly-Client-IP",
        "Fly-Client-IP",
        "Forwarded",
        "True-Client-IP",
        "Via",
        "X-Appengine-User-Ip",
        "X-Azure-ClientIP",
        "X-Cluster-Client-IP",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Original-Forwarded-For",
        "X-ProxyUser-Ip",
        "X-Real-IP",
        "X-Varnish",
    ],
)
def test_headers_of_known_proxies_are_listed(without_token: Authenticator, header: str) -> None:
    with pytest.raises(Refused, match="proxy"):
        without_token.authenticate(request({header: "127.0.0.1"}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9090"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Referer": "http://evil.example/"},
        {"Origin": "http://localhost:8080", "Referer": "http://evil.example/"},
    ],
)
@pytest.mark.parametrize("allow_anonymous", [False, True])
def test_without_a_token_cross_site_requests_are_refused(
    make_settings: Callable[..., Settings], headers: dict[str, str], allow_anonymous: bool
) -> None:
    authenticator = Authenticator(make_settings(token=None, allow_anonymous=allow_anonymous))
    with pytest.raises(Refused, match="another site"):
        authenticator.authenticate(request(headers))


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_without_a_token_the_page_is_accepted(without_token: Authenticator, site: str) -> None:
    principal = without_token.authenticate(
        request({"Sec-Fetch-Site": site, "Origin": "http://localhost:8080"})
    )
    assert principal.name == "anonymous"


def test_allow_anonymous_opens_to_all_and_is_logged(
    make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = Authenticator(make_settings(token=None, allow_anonymous=True))
    headers = {"X-Forwarded-For": "192.0.2.7"}
    assert (
        authenticator.authenticate(request(headers, peer="192.0.2.1", host="example.com")).name == "anonymous"
    )
    assert "open to everybody" in caplog.text


def test_allow_anonymous_does_not_override_a_token(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(AuthenticationFailed):
        Authenticator(make_settings(allow_anonymous=True)).authenticate(request())


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
def test_without_the_token_all_routes_respond_alike(make_client: Any, path: str, method: str) -> None:
    response = make_client().open(f"/admin/rest_api{path}", method=method)
    assert response.status_code == 403
    if method != "HEAD":
        assert set(response.json) == {"call_time", "output", "response_time", "status"}
        assert response.json["output"] == "Token Authentication Failed"
        assert response.json["status"] == "ERROR"


@pytest.mark.parametrize("path", ["/", "/api/v1.0/health", "/static/style.css"])
def test_page_static_files_and_health_need_no_token(make_client: Any, path: str) -> None:
    assert make_client().get(f"/admin/rest_api{path}").status_code == 200


def test_token_is_not_in_repr(make_settings: Callable[..., Settings]) -> None:
    assert TOKEN not in repr(make_settings())
