"""Test the page as it is served; tests/live/page tests it in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from remote import TOKEN
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

import airflow_remote_server.http.page
from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.catalog.spec import Argument, Endpoint, Variant
from airflow_remote_server.http.page import Page
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

PAGE = "/admin/rest_api/"
FIRST_VIEW_BYTES = 60_000
ALL_BYTES = 110_000


@pytest.fixture
def get(make_client: Any) -> Any:
    """Return a function that requests a path below the page without a token."""
    client = make_client()
    return lambda path="", **headers: client.get(
        PAGE + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def references(page: TestResponse) -> list[str]:
    """Return the paths that the page loads by itself."""
    paths = re.findall(r'<(?:link|script|img)[^>]* (?:href|src)="([^"]+)"', page.text)
    return list(dict.fromkeys(paths))


def known(text: str) -> Any:
    """Return the data that the page embeds for its script."""
    return json.loads(text.partition('id="page-data">')[2].partition("</script>")[0])


def test_page_lists_every_classic_endpoint_with_arguments(get: Any, major: int) -> None:
    page = get()
    assert page.content_type == "text/html; charset=utf-8"
    data = known(page.text)
    assert (data["airflow"], data["open"]) == (major, False)
    endpoints = {endpoint["name"]: endpoint for endpoint in data["endpoints"]}
    assert set(endpoints) == set(classic_endpoints(NEWEST_OF_MAJOR[major]))
    for name, endpoint in endpoints.items():
        assert f'href="#endpoint/{name}"' in page.text
        assert endpoint["help"] in page.text
    [variant] = endpoints["trigger_dag"]["variants"]
    assert variant["command"] == "airflow dags trigger"
    arguments = {argument["name"]: argument for argument in variant["arguments"]}
    assert arguments["dag_id"] == {
        "name": "dag_id",
        "help": "ID of the DAG",
        "required": True,
        "positional": True,
    }
    assert arguments["conf"]["kind"] == "json_object"
    variants = {variant.get("name", ""): variant for variant in endpoints["variables"]["variants"]}
    assert variants["set"]["takes"] == ["key", "value"]
    secrets = [argument["name"] for argument in variants["set"]["arguments"] if argument.get("secret")]
    assert secrets == ["value"]
    assert ("absent" in endpoints["run"]) == (major == 3)


def test_page_holds_nothing_protected_by_token(get: Any) -> None:
    page = get()
    assert TOKEN not in page.text
    assert "connections export" not in page.text, "a live command"


def test_content_security_policy_allows_only_own_files(get: Any) -> None:
    page = get()
    policy = dict(part.partition(" ")[::2] for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    # The page has nothing that this policy would block.
    assert not re.search(r"<[^>]+ (on\w+|style)=", page.text)
    assert all('src="' in tag or "application/json" in tag for tag in re.findall("<script[^>]*>", page.text))
    assert "<style" not in page.text


def test_page_and_files_have_correct_types(get: Any) -> None:
    page = get()
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for path in ["", *references(page)]:
        response = get(path)
        assert response.status_code == 200, path
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        if path:
            assert response.mimetype == kinds[path.rpartition(".")[2]]


def test_page_urls_are_relative(get: Any, make_client: Any) -> None:
    page = get()
    assert not [path for path in references(page) if path.startswith(("/", "http"))]
    below = make_client(base_path="/pre").get("/pre/admin/rest_api/")
    assert below.text == page.text


def test_page_is_revalidated_and_files_are_cached(get: Any) -> None:
    page = get()
    assert page.headers["Cache-Control"] == "no-cache"
    again = get(If_None_Match=page.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert get(If_None_Match='"another"').status_code == 200
    for path in references(page):
        assert get(path).headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_file_of_another_version_is_not_cached(get: Any) -> None:
    for path in ("static/main.js", f"static/{'0' * 16}/main.js"):
        response = get(path)
        assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-cache")
    assert get(f"static/{'0' * 16}/page.html").status_code == 404
    assert get(f"static/{'0' * 16}/__init__.py").status_code == 404
    assert get("static/0/main.js", Authorization=f"Bearer {TOKEN}").status_code == 404


def test_imported_modules_exist(get: Any) -> None:
    base = next(path for path in references(get()) if path.endswith("main.js")).removesuffix("main.js")
    seen, left = set(), ["main.js"]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            response = get(base + name)
            assert response.status_code == 200, name
            left += re.findall(r'(?:from |import\()"\./([^"]+)"', response.text)
    assert {"main.js", "command.js", "jobs.js"} <= seen


def test_modules_are_served_without_comments(get: Any) -> None:
    base = next(path for path in references(get()) if path.endswith("main.js")).removesuffix("main.js")
    for source in Path(airflow_remote_server.http.page.__file__).parent.glob("*.js"):
        lines = get(base + source.name).text.splitlines()
        assert not [line for line in lines if line.lstrip().startswith(("/*", "*", "//"))], source.name
        code = [line for line in source.read_text().splitlines() if line in lines]
        assert lines == code, "nothing else is left out or changed"


def test_first_view_is_small(get: Any) -> None:
    page = get()
    sizes = {path: len(get(path).data) for path in ["", *references(page)]}
    assert sum(sizes.values()) < FIRST_VIEW_BYTES, sizes


def test_page_and_files_are_small(major: int) -> None:
    page = Page(classic_endpoints(NEWEST_OF_MAJOR[major]), major)
    assert len(page.text) + sum(map(len, page.files.values())) < ALL_BYTES


def test_endpoint_texts_are_escaped() -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u2028"
    argument = Argument("x", help=evil, choices=(evil,))
    endpoint = Endpoint("evil", evil, (Variant(("evil",), (argument,)),), absent=evil)
    text = Page({"evil": endpoint}, 3).html(Request(EnvironBuilder().get_environ())).get_data(as_text=True)
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    [described] = known(text)["endpoints"]
    [variant] = described["variants"]
    assert described["help"] == variant["arguments"][0]["help"] == described["absent"] == evil
