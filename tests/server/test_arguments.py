from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from airflow_remote_server.arguments import MAX_FIELDS, merge, read
from airflow_remote_server.errors import ApiError, BadArguments, TooLarge

TEXT = st.text(st.characters(blacklist_categories=("Cs",)))


def request(**builder: Any) -> Request:
    return Request(EnvironBuilder("/", method="POST", **builder).get_environ())


def form(data: bytes) -> Request:
    return request(data=data, content_type="application/x-www-form-urlencoded")


@given(TEXT)
def test_every_text_arrives_verbatim_by_each_way(value: str) -> None:
    by_query = read(Request(EnvironBuilder("/", query_string=f"key={quote(value)}").get_environ()))[0]
    by_form = read(form(f"key={quote(value)}".encode()))[1]
    by_json = read(request(json={"key": value}))[1]
    assert by_query == by_form == by_json == {"key": [value]}


@given(TEXT.filter(lambda text: "\ufffd" not in text))
def test_every_text_arrives_verbatim_in_a_multipart_form(value: str) -> None:
    # HTML's own encoding of a multipart form normalises nothing here: werkzeug's client sends it as it is.
    assert read(request(data={"key": value}, content_type="multipart/form-data"))[1] == {"key": [value]}


def test_names_may_be_written_with_dashes() -> None:
    assert read(request(json={"log-file": "x"}, query_string="run-id=1")) == (
        {"run_id": ["1"]},
        {"log_file": ["x"]},
    )


def test_what_is_given_twice_is_kept_twice() -> None:
    query, body = read(request(json={"dag_id": "c"}, query_string="dag_id=a&dag-id=b"))
    assert merge(query, body) == {"dag_id": ["a", "b", "c"]}


def test_json_null_is_not_given() -> None:
    assert read(request(json={"conf": None}))[1] == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not valid JSON"),
        (b"[1]", "must be an object"),
        (b'"x"', "must be an object"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 100_000, "not valid JSON"),
    ],
)
def test_bad_json_is_refused(body: bytes, message: str) -> None:
    sent = request(data=body, content_type="application/json")
    with pytest.raises(BadArguments, match=message):
        read(sent)


@pytest.mark.parametrize("data", [b"a=%ff", b"%ff=a", b"a=\xff", b"a=%ed%a0%80"])
def test_invalid_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(BadArguments, match="UTF-8"):
        read(form(data))
    environ = EnvironBuilder("/").get_environ() | {"QUERY_STRING": data.decode("latin-1")}
    with pytest.raises(BadArguments, match="UTF-8"):
        read(Request(environ))


def test_invalid_utf8_in_a_multipart_form_is_refused() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--\r\n'
    with pytest.raises(BadArguments, match="UTF-8"):
        read(request(data=body, content_type="multipart/form-data; boundary=b"))


def test_too_many_arguments_are_refused() -> None:
    with pytest.raises(TooLarge):
        read(form(b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS + 1))))


@pytest.mark.parametrize("content_type", ["text/xml", "image/png", "text/plain"])
def test_a_body_of_another_type_is_refused(content_type: str) -> None:
    with pytest.raises(BadArguments, match=content_type):
        read(request(data=b"x", content_type=content_type))


def test_no_body_needs_no_type() -> None:
    assert read(request()) == ({}, {})


@given(
    st.binary(),
    st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", ""]
    ),
)
def test_no_body_does_harm(body: bytes, content_type: str) -> None:
    try:
        query, given_ = read(request(data=body, content_type=content_type))
    except ApiError as error:
        assert "\n" not in error.message
    else:
        assert query == {}
        json.dumps(given_, default=str)
