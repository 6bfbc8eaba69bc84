"""The page as it is served; what it does in a browser is in tests/live/test_page.py."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from conftest import TOKEN
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from airflow_remote_server.catalogue.classic import Classic
from airflow_remote_server.catalogue.spec import Argument, Endpoint, Form
from airflow_remote_server.web import Page

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

PAGE = "/admin/rest_api/"
FIRST_VIEW_BYTES = 60_000
ALL_BYTES = 90_000


@pytest.fixture
def get(make_client: Any) -> Any:
    """Ask for what needs no token."""
    client = make_client()
    return lambda path="", **headers: client.get(
        PAGE + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def references(page: TestResponse) -> list[str]:
    """What the page loads by itself."""
    found = re.findall(r'<(?:link|script|img)[^>]* (?:href|src)="([^"]+)"', page.text)
    return list(dict.fromkeys(found))


def known(text: str) -> Any:
    """What the page's script is told."""
    return json.loads(text.partition('id="known">')[2].partition("</script>")[0])


def test_the_page_lists_every_classic_endpoint_with_its_arguments(get: Any, major: int) -> None:
    page = get()
    assert page.content_type == "text/html; charset=utf-8"
    told = known(page.text)
    assert (told["airflow"], told["open"]) == (major, False)
    endpoints = {endpoint["name"]: endpoint for endpoint in told["endpoints"]}
    assert set(endpoints) == set(Classic(major).endpoints())
    for name, endpoint in endpoints.items():
        assert f'href="#endpoint/{name}"' in page.text
        assert endpoint["help"] in page.text
    [form] = endpoints["trigger_dag"]["forms"]
    assert form["command"] == "airflow dags trigger"
    arguments = {argument["name"]: argument for argument in form["arguments"]}
    assert arguments["dag_id"] == {
        "name": "dag_id",
        "help": "The DAG's id",
        "required": True,
        "positional": True,
    }
    assert arguments["conf"]["kind"] == "json_object"
    forms = {form.get("name", ""): form for form in endpoints["variables"]["forms"]}
    assert forms["set"]["takes"] == ["key", "value"]
    assert [argument["name"] for argument in forms["set"]["arguments"] if argument.get("secret")] == ["value"]
    assert ("absent" in endpoints["run"]) == (major == 3)


def test_the_page_holds_nothing_that_the_token_protects(get: Any) -> None:
    page = get()
    assert TOKEN not in page.text
    assert "connections export" not in page.text, "a live command"


def test_nothing_but_the_page_s_own_files_can_run(get: Any) -> None:
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
    # What such a policy would keep from working is not there.
    assert not re.search(r"<[^>]+ (on\w+|style)=", page.text)
    assert all('src="' in tag or "application/json" in tag for tag in re.findall("<script[^>]*>", page.text))
    assert "<style" not in page.text


def test_the_page_and_its_files_are_taken_for_what_they_are(get: Any) -> None:
    page = get()
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for path in ["", *references(page)]:
        response = get(path)
        assert response.status_code == 200, path
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        if path:
            assert response.mimetype == kinds[path.rpartition(".")[2]]


def test_all_addresses_are_relative(get: Any, make_client: Any) -> None:
    page = get()
    assert not [path for path in references(page) if path.startswith(("/", "http"))]
    below = make_client(base_path="/pre").get("/pre/admin/rest_api/")
    assert below.text == page.text


def test_the_page_is_asked_for_again_and_its_files_are_kept(get: Any) -> None:
    page = get()
    assert page.headers["Cache-Control"] == "no-cache"
    again = get(If_None_Match=page.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert get(If_None_Match='"another"').status_code == 200
    for path in references(page):
        assert get(path).headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_file_of_another_version_is_not_kept(get: Any) -> None:
    for path in ("static/main.js", f"static/{'0' * 16}/main.js"):
        response = get(path)
        assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-cache")
    assert get(f"static/{'0' * 16}/page.html").status_code == 404
    assert get(f"static/{'0' * 16}/__init__.py").status_code == 404
    assert get("static/0/main.js", Authorization=f"Bearer {TOKEN}").status_code == 404


def test_modules_are_found_where_they_look_for_each_other(get: Any) -> None:
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


def test_the_first_view_is_small(get: Any) -> None:
    page = get()
    sizes = {path: len(get(path).data) for path in ["", *references(page)]}
    assert sum(sizes.values()) < FIRST_VIEW_BYTES, sizes


def test_all_of_it_is_small(major: int) -> None:
    page = Page(Classic(major).endpoints(), major)
    assert len(page.text) + sum(map(len, page.files.values())) < ALL_BYTES


def test_no_text_of_an_endpoint_becomes_markup() -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u2028"
    argument = Argument("x", help=evil, choices=(evil,))
    endpoint = Endpoint("evil", evil, (Form(("evil",), (argument,)),), absent=evil)
    text = Page({"evil": endpoint}, 3).html(Request(EnvironBuilder().get_environ())).get_data(as_text=True)
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    [told] = known(text)["endpoints"]
    assert told["help"] == told["forms"][0]["arguments"][0]["help"] == told["absent"] == evil
