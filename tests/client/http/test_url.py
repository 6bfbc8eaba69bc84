"""The base URL of the API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.errors import UnusableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.http.url import api_base_url
from client.program import call


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://host", "http://host/admin/rest_api"),
        ("http://host:8080/", "http://host:8080/admin/rest_api"),
        ("https://host/pre", "https://host/pre/admin/rest_api"),
        ("https://host/pre/", "https://host/pre/admin/rest_api"),
        ("http://host/admin/rest_api", "http://host/admin/rest_api"),
        ("http://host/admin/rest_api/", "http://host/admin/rest_api"),
        ("http://host/pre/admin/rest_api/", "http://host/pre/admin/rest_api"),
        ("http://[::1]:8080", "http://[::1]:8080/admin/rest_api"),
        ("HTTP://Host", "http://Host/admin/rest_api"),
        ("http://host//", "http://host/admin/rest_api"),
        ("http://host//admin/rest_api", "http://host/admin/rest_api"),
        ("http://host/admin/rest_api/api/v1.0", "http://host/admin/rest_api"),
        ("http://host/admin/rest_api/api/v1.0/", "http://host/admin/rest_api"),
        ("http://host/pre/admin/rest_api/api/v1.0/commands/dags/list", "http://host/pre/admin/rest_api"),
        ("http://host/admin/rest_api/api?api=version&x=1", "http://host/admin/rest_api"),
        ("http://host/admin/rest_api/#dags/trigger", "http://host/admin/rest_api"),
        ("http://host/admin/rest_api?x=/admin/rest_api", "http://host/admin/rest_api"),
        ("http://host/pre/api/v1.0/commands", "http://host/pre/admin/rest_api"),
        ("http://host/api/v2", "http://host/admin/rest_api"),
        ("http://host/pre/api/v1/dags?limit=1", "http://host/pre/admin/rest_api"),
        ("http://host/api/v2x", "http://host/api/v2x/admin/rest_api"),
        ("http://host/admin/rest_api_2", "http://host/admin/rest_api_2/admin/rest_api"),
    ],
)
def test_api_path_is_appended_once(url: str, base: str) -> None:
    assert api_base_url(url) == base


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must begin with http:// or https://"),
        ("host:8080", "as in http://host:8080"),
        ("localhost", "as in http://localhost"),
        ("//localhost:8080", "as in http://localhost:8080"),
        ("ftp://host", "must begin with http:// or https://"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("http://", "names no server"),
        ("http://:8080", "names no server"),
        ("http://host:port", "cannot be used"),
        ("http://host:99999", "cannot be used"),
        ("http://[::1", "cannot be used"),
        ("http://host/?a=b", "must end with its path"),
        ("http://host/#a", "must end with its path"),
        ("http://ho st", "contains a space or a control character"),
        ("http://host\n", "contains a space or a control character"),
        ("http://user:hunter2@host", "must not contain a user or password"),
        ("http://hunter2@host", "must not contain a user or password"),
        ("user:hunter2@host", "must not contain a user or password"),
        ("http://hunter2@[::1", "cannot be used"),
        ("http://a..b", "cannot be used"),
        ("http://" + "a" * 300, "cannot be used"),
    ],
)
def test_invalid_url_is_rejected_in_one_line(url: str, reason: str) -> None:
    completed = call("--url", url, "version")
    assert completed.status == ExitStatus.USAGE
    message = completed.message()
    assert reason in message
    assert "hunter2" not in message


@given(url=st.text(max_size=30) | st.text(max_size=20).map(lambda text: f"http://{text}"))
def test_any_url_is_normalized_or_rejected(url: str) -> None:
    try:
        base = api_base_url(url)
    except UnusableError as error:
        assert str(error)
    else:
        assert base.startswith(("http://", "https://"))
        assert base.endswith("/admin/rest_api")
