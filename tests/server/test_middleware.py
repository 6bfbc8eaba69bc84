"""Test the WSGI middleware, and how paths are split at the prefix."""

from __future__ import annotations

import wsgiref.util
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.validate import validator

import pytest
from doubles import Wrapped
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server import RestApiMiddleware
from airflow_remote_server.http.routing import PREFIX, ApiPath, find_api, split_path

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("script_name", "path_info", "base_path", "expected"),
    [
        ("", "/admin/rest_api", "", ("/admin/rest_api", "")),
        ("", "/admin/rest_api/", "", ("/admin/rest_api", "/")),
        ("", "/admin/rest_api/api/v1.0/version", "", ("/admin/rest_api", "/api/v1.0/version")),
        ("", "/pre/admin/rest_api/api", "/pre", ("/pre/admin/rest_api", "/api")),
        ("/pre", "/admin/rest_api/api", "/pre", ("/pre/admin/rest_api", "/api")),
        ("", "/admin/rest_api/api", "/pre", ("/admin/rest_api", "/api")),
        ("/mounted", "/admin/rest_api/api", "", ("/mounted/admin/rest_api", "/api")),
        ("/admin/rest_api", "/api", "", ("/admin/rest_api", "/api")),
        ("/admin", "/rest_api/api", "", ("/admin/rest_api", "/api")),
        ("/pre", "/pre/admin/rest_api/x", "/pre", ("/pre/pre/admin/rest_api", "/x")),
        ("", "/admin/rest_apix", "", None),
        ("", "/admin/rest_api.html", "", None),
        ("", "/x/admin/rest_api/", "", None),
        ("", "//admin/rest_api/", "", None),
        ("", "/Admin/Rest_Api/", "", None),
        ("", "", "", None),
    ],
)
def test_path_is_split_at_prefix(
    script_name: str, path_info: str, base_path: str, expected: tuple[str, str] | None
) -> None:
    assert split_path(script_name, path_info, base_path) == expected


@given(st.text(), st.text(), st.sampled_from(["", "/pre"]))
def test_split_keeps_whole_path(script_name: str, path_info: str, base_path: str) -> None:
    split = split_path(script_name, path_info, base_path)
    if split is not None:
        assert "".join(split) == script_name + path_info
        assert split[0].endswith(PREFIX)


@pytest.mark.parametrize(
    ("script_name", "path_info", "base_path", "location"),
    [
        ("", "//admin/rest_api/api/v1.0/version", "", "/admin/rest_api/api/v1.0/version"),
        ("", "/admin//rest_api", "", "/admin/rest_api/"),
        ("", "///admin/./rest_api/x/..//api", "", "/admin/rest_api/api"),
        ("", "/home/../admin/rest_api/", "", "/admin/rest_api/"),
        ("", "/admin/rest_api//api/v1.0/version", "", "/admin/rest_api/api/v1.0/version"),
        ("", "/admin/rest_api/api/v1.0//version", "", "/admin/rest_api/api/v1.0/version"),
        ("", "//pre/admin/rest_api/api", "/pre", "/pre/admin/rest_api/api"),
        ("", "/pre//admin/rest_api/api", "/pre", "/pre/admin/rest_api/api"),
        ("/pre", "//admin/rest_api/api", "/pre", "/pre/admin/rest_api/api"),
        ("/mounted", "//admin/rest_api/api", "", "/mounted/admin/rest_api/api"),
        ("//evil.example", "//admin/rest_api/api", "", "/evil.example/admin/rest_api/api"),
        ("//evil.example", "/admin/rest_api", "", "/evil.example/admin/rest_api/"),
        ("", "//admin/rest_api/\\evil é\r\n", "", "/admin/rest_api/%5Cevil%20%E9%0D%0A"),
    ],
)
def test_other_spelling_redirects(script_name: str, path_info: str, base_path: str, location: str) -> None:
    path = find_api(script_name, path_info, base_path)
    assert path is not None
    assert path.location() == location
    assert path.location("a=%2B&b") == f"{location}?a=%2B&b"


@pytest.mark.parametrize("path", ["", "/", "/rest_api", "/admin/rest_apix//", "/x/admin//rest_api"])
def test_other_paths_are_no_spelling_of_prefix(path: str) -> None:
    assert find_api("", path) is None


def test_path_that_leaves_prefix_is_not_passed_on() -> None:
    assert find_api("", "/admin/rest_api/../../home") == ApiPath("/admin/rest_api", "/../../home")


JUNK = st.lists(st.sampled_from(["", ".", "x/..", "x/y/../.."]), max_size=3)


@given(
    st.sampled_from(["", "/pre", "/pre/fix"]),
    st.lists(JUNK, min_size=8, max_size=8),
    st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="/"), min_size=1), max_size=2),
)
def test_every_spelling_leads_to_same_path(base_path: str, junk: list[list[str]], rest: list[str]) -> None:
    names = [name for name in (base_path + PREFIX).split("/") if name]
    names += [name for name in rest if name not in (".", "..")]
    pieces: list[str] = []
    for name, extra in zip(names, junk):
        pieces += [*extra, name]
    path = find_api("", "/" + "/".join(pieces), base_path)
    assert path is not None
    location = path.location()
    assert location[0] == "/"
    assert location[1] != "/"
    assert unquote_to_bytes(location).decode("latin-1").rstrip("/") == "/" + "/".join(names)
    again = find_api("", unquote_to_bytes(location).decode("latin-1"), base_path)
    assert again == ApiPath(base_path + PREFIX, path.path_info or "/"), "no second redirect"


@given(st.text(), st.text(), st.sampled_from(["", "/pre"]))
def test_location_never_names_another_host(script_name: str, path_info: str, base_path: str) -> None:
    path = find_api(script_name, f"{path_info}//admin/rest_api{path_info}", base_path)
    if path is not None:
        parts = urlsplit(path.location())
        assert (parts.scheme, parts.netloc, parts.path[:1], parts.path[:2] == "//") == ("", "", "/", False)


def test_other_requests_reach_wrapped_application_unchanged() -> None:
    wrapped = Wrapped()
    environ: dict[str, Any] = {"PATH_INFO": "/admin/rest_apix", "SCRIPT_NAME": "", "odd": object()}
    before = dict(environ)
    start_response = object()
    assert RestApiMiddleware(wrapped)(environ, start_response) is wrapped.answer  # type: ignore[arg-type]
    assert wrapped.environ is environ, "not even copied"
    assert environ == before
    assert wrapped.start_response is start_response


def test_api_is_created_by_its_first_request() -> None:
    middleware = RestApiMiddleware(Wrapped())
    environ: dict[str, Any] = {"PATH_INFO": "/home"}
    middleware(environ, lambda *_: lambda _: None)
    assert middleware.api._api is None  # noqa: SLF001 - nothing else shows it


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT"])
@pytest.mark.parametrize(
    "path", ["/", "", "/api/v1.0/health", "/api/v1.0/nope", "/api?api=x", "/static/style.css"]
)
def test_every_response_is_valid_wsgi(make_settings: Any, method: str, path: str) -> None:
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": path.partition("?")[2]}
    wsgiref.util.setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/admin/rest_api" + path.partition("?")[0]
    environ["SCRIPT_NAME"] = ""
    seen: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        seen.append(status)
        return lambda data: None

    app = validator(RestApiMiddleware(Wrapped(), make_settings()))
    body = app(environ, start_response)
    try:
        content = b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]
    assert len(seen) == 1
    assert (method == "HEAD") <= (content == b"")
