"""The secrets in a request are found wherever they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.catalog.argv import mask_values
from airflow_remote_server.catalog.secret_values import file_secrets, find_secrets, secret_values
from airflow_remote_server.catalog.spec import Argument, Kind, Variant
from airflow_remote_server.util.masker import Masker
from airflow_remote_server.util.masking import SENSITIVE

SECRET = "hunter2-s3cr3t"
PLAIN = "in-the-open"
COMMAND = Variant(
    ("connections", "add"),
    (
        Argument("conn_uri", "--conn-uri", secret=True),
        Argument("conn_json", "--conn-json", Kind.JSON_OBJECT, secret=True),
        Argument("conn_extra", "--conn-extra", Kind.JSON_OBJECT, secret=True),
        Argument("conn_password", "--conn-password", secret=True),
        Argument("basic_auth", "--basic-auth", secret=True),
        Argument("conn_host", "--conn-host"),
        Argument("conf", "--conf", Kind.JSON),
        Argument("hosts", nargs="*"),
    ),
)
VALUES: dict[str, dict[str, Any]] = {
    "a password": {"conn_password": SECRET},
    "the password of a URI": {"conn_uri": f"http://{PLAIN}:{SECRET}@{PLAIN}/db"},
    "the password of a URI, with an @": {"conn_uri": f"http://{PLAIN}:a@{SECRET}@{PLAIN}/db"},
    "the password of a URI, with a /": {"conn_uri": f"http://{PLAIN}:ab/{SECRET}@{PLAIN}/db"},
    "the token of a URI": {"conn_uri": f"http://{SECRET}@{PLAIN}"},
    "a parameter of a URI": {"conn_uri": f"http://{PLAIN}/?anything={SECRET}"},
    "the extra of a URI": {"conn_uri": f"http://{PLAIN}/?__extra__=%7B%22x%22%3A%20%22{SECRET}%22%7D"},
    "a connection in JSON": {"conn_json": json.dumps({"host": PLAIN, "password": SECRET})},
    "the extra of a connection in JSON": {"conn_json": json.dumps({"host": PLAIN, "extra": {"x": [SECRET]}})},
    "an extra that is JSON in JSON": {"conn_json": json.dumps({"extra": json.dumps({"x": SECRET})})},
    "an extra": {"conn_extra": json.dumps({"x": {"y": SECRET}})},
    "users": {"basic_auth": f"{PLAIN}:abc,{PLAIN}:{SECRET}"},
    "the password of a URL": {"conn_host": f"http://{PLAIN}:{SECRET}@{PLAIN}/"},
    "the token of a URL": {"conn_host": f"see https://{SECRET}@{PLAIN}/"},
    "a parameter of a URL": {"conn_host": f"https://{PLAIN}/?a={PLAIN}&access_token={SECRET}"},
    "a conf": {"conf": json.dumps({"a": [{"db_password": SECRET}], "b": PLAIN})},
    "a URL in a conf": {"conf": json.dumps({"a": f"ftp://{PLAIN}:{SECRET}@{PLAIN}"})},
    "one of several": {"hosts": [PLAIN, f"http://{PLAIN}:{SECRET}@{PLAIN}"]},
}
FILES = {
    "variables.json": json.dumps({"api_key": SECRET, "x": PLAIN}),
    "nested.json": json.dumps({"x": {"password": {"deep": [SECRET]}, "y": PLAIN}}),
    "uris.json": json.dumps({"c": f"http://{PLAIN}:{SECRET}@{PLAIN}"}),
    "c.env": f"C=http://{PLAIN}:{SECRET}@{PLAIN}\n",
    "d.env": f"MY_TOKEN={SECRET}\nX={PLAIN}\n",
    "c.yaml": f"c:\n  host: {PLAIN}\n  password: {SECRET}\n",
    "d.yml": f"c: {{host: {PLAIN}, extra: {{x: {SECRET}}}}}\n",
    "broken.yaml": f"c: [\n  password: '{SECRET}'\n  host: {PLAIN}\n",
    "repeated.yaml": f"a: &a {{password: {SECRET}}}\nb: *a\nc: [*a, *a]\n",
    "repeated as a secret.yaml": f"a: &a {{x: {SECRET}}}\npassword: *a\n",
    "in itself.yaml": f"a: &a\n  password: {SECRET}\n  a: *a\n",
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_secret_in_an_argument_is_found_and_what_is_no_secret_is_not(values: dict[str, Any]) -> None:
    masker = Masker(secret_values(COMMAND, values, SENSITIVE))
    assert masker.mask(f"a {SECRET} b {PLAIN} c") == f"a *** b {PLAIN} c"


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_secret_in_an_argument_is_not_shown(values: dict[str, Any]) -> None:
    assert SECRET not in str(mask_values(COMMAND, values, SENSITIVE))


@pytest.mark.parametrize(("name", "content"), FILES.items())
def test_secret_in_a_file_is_found_and_what_is_no_secret_is_not(name: str, content: str) -> None:
    masker = Masker(file_secrets(name, content.encode(), SENSITIVE))
    assert masker.mask(f"a {SECRET} b {PLAIN} c") == f"a *** b {PLAIN} c"


def test_secret_of_an_unhidden_argument_has_only_its_secret_part_masked() -> None:
    values: dict[str, Any] = {"conn_host": f"http://u:{SECRET}@h/?a=1&token={SECRET}"}
    assert mask_values(COMMAND, values, SENSITIVE) == {"conn_host": "http://***@h/?a=1&token=***"}


@given(st.binary(), st.sampled_from(["a.json", "a.yaml", "a.env", ""]))
def test_any_file_can_be_searched(content: bytes, name: str) -> None:
    file_secrets(name, content, SENSITIVE)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner)))
def test_any_document_can_be_searched(document: Any) -> None:
    list(find_secrets({"password": document}, SENSITIVE))
