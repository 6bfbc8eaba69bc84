"""Test how arguments are read from queries and bodies."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from airflow_remote_server.catalog.spec import RequestArguments
from airflow_remote_server.errors import ApiError, BadArguments, TooLarge
from airflow_remote_server.http.arguments import MAX_FIELDS, merge, read

LIMIT = 1_000_000


def read_all(request: Request) -> tuple[RequestArguments, RequestArguments]:
    """Read all arguments, with a limit that only matters to its own test."""
    return read(request, LIMIT)


TEXT = st.text(st.characters(codec="utf-8"))


def request(**builder: Any) -> Request:
    return Request(EnvironBuilder("/", method="POST", **builder).get_environ())


def form(data: bytes) -> Request:
    return request(data=data, content_type="application/x-www-form-urlencoded")


@given(TEXT)
def test_text_arrives_verbatim_by_query_form_and_json(value: str) -> None:
    by_query = read_all(Request(EnvironBuilder("/", query_string=f"key={quote(value)}").get_environ()))[0]
    by_form = read_all(form(f"key={quote(value)}".encode()))[1]
    by_json = read_all(request(json={"key": value}))[1]
    assert by_query == by_form == by_json == {"key": [value]}


@given(TEXT)
def test_text_arrives_verbatim_in_multipart_form(value: str) -> None:
    # werkzeug's client sends the text as is, without the normalization of HTML's encoding.
    assert read_all(request(data={"key": value}, content_type="multipart/form-data"))[1] == {"key": [value]}


def test_argument_names_accept_dashes() -> None:
    assert read_all(request(json={"log-file": "x"}, query_string="run-id=1")) == (
        {"run_id": ["1"]},
        {"log_file": ["x"]},
    )


def test_repeated_argument_keeps_all_values() -> None:
    query, body = read_all(request(json={"dag_id": "c"}, query_string="dag_id=a&dag-id=b"))
    assert merge(query, body) == {"dag_id": ["a", "b", "c"]}


def test_json_null_counts_as_absent() -> None:
    assert read_all(request(json={"conf": None}))[1] == {}


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
        (b'{"a": 1e400}', "too large for a number"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "nested over 100 levels"),
    ],
)
def test_invalid_json_is_rejected(body: bytes, message: str) -> None:
    sent = request(data=body, content_type="application/json")
    with pytest.raises(BadArguments, match=message):
        read_all(sent)


@pytest.mark.parametrize("data", [b"a=%ff", b"%ff=a", b"a=\xff", b"a=%ed%a0%80"])
def test_invalid_utf8_is_rejected(data: bytes) -> None:
    with pytest.raises(BadArguments, match="UTF-8"):
        read_all(form(data))
    environ = EnvironBuilder("/").get_environ() | {"QUERY_STRING": data.decode("latin-1")}
    with pytest.raises(BadArguments, match="UTF-8"):
        read_all(Request(environ))


def test_invalid_utf8_in_multipart_form_is_rejected() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--\r\n'
    with pytest.raises(BadArguments, match="UTF-8"):
        read_all(request(data=body, content_type="multipart/form-data; boundary=b"))


def part(name: str = "a", value: bytes = b"1", end: bytes = b"--b--\r\n") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n" + end


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"--x--",
        part(end=b""),
        part(end=b"--b"),
        part()[:-20],
        part(name=""),
        b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--",
        b"--b\r\n\r\n1\r\n--b--",
        b"--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--",
        part().replace(b"--b", b"--c"),
        b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--b--',
    ],
)
def test_incomplete_multipart_form_is_rejected(body: bytes) -> None:
    with pytest.raises(BadArguments, match="multipart form"):
        read_all(request(data=body, content_type="multipart/form-data; boundary=b"))


def test_werkzeugs_own_long_boundary_is_accepted() -> None:
    name = "-" * 15 + "WerkzeugFormPart_1795378000.48011178.471234567890123e-05"
    body = part().replace(b"--b", f"--{name}".encode())
    assert len(name) > 70
    assert read_all(request(data=body, content_type=f"multipart/form-data; boundary={name}"))[1]


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "x" * 201, "; boundary=\xe9"])
def test_multipart_form_needs_valid_boundary(boundary: str) -> None:
    with pytest.raises(BadArguments, match="boundary"):
        read_all(request(data=part(), content_type=f"multipart/form-data{boundary}"))


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json"])
def test_truncated_body_is_rejected(content_type: str) -> None:
    environ = EnvironBuilder("/", method="POST", data=b"a=1234", content_type=content_type).get_environ()
    environ["CONTENT_LENGTH"] = "10"
    with pytest.raises(BadArguments, match="incomplete: 6 of 10 bytes"):
        read_all(Request(environ))


def test_invalid_chunks_are_rejected() -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError("invalid chunk size")

    environ = {"wsgi.input_terminated": True, "wsgi.input": Broken(), "REQUEST_METHOD": "POST"}
    with pytest.raises(BadArguments, match="chunks"):
        read_all(Request(environ))


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_limit_is_rejected_not_truncated(chunked: bool) -> None:
    environ = EnvironBuilder("/", method="POST", data=b"a=" + b"x" * LIMIT).get_environ()
    environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
    if chunked:
        del environ["CONTENT_LENGTH"]
        environ["wsgi.input_terminated"] = True
    with pytest.raises(TooLarge, match="the body is over 1000000 bytes"):
        read_all(Request(environ))


def test_too_many_arguments_are_rejected() -> None:
    with pytest.raises(TooLarge):
        read_all(form(b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS + 1))))


@pytest.mark.parametrize("content_type", ["text/xml", "image/png", "text/plain"])
def test_body_of_unsupported_type_is_rejected(content_type: str) -> None:
    with pytest.raises(BadArguments, match=content_type):
        read_all(request(data=b"x", content_type=content_type))


def test_empty_body_needs_no_content_type() -> None:
    assert read_all(request()) == ({}, {})


@given(
    st.binary(),
    st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", ""]
    ),
)
def test_any_body_is_parsed_or_rejected(body: bytes, content_type: str) -> None:
    try:
        query, arguments = read_all(request(data=body, content_type=content_type))
    except ApiError as error:
        assert "\n" not in error.message
    else:
        assert query == {}
        json.dumps(arguments, default=str)
