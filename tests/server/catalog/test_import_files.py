"""Test the files that commands import."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage

from airflow_remote_server.catalog.import_files import JSON_TYPES, check_import


def check(command: str, content: bytes, filename: str, major: int = 3) -> str:
    """Check a file, and return its name.

    :param command: the command's words after ``airflow``
    :param content: the content of the file
    :param filename: its name in the request
    :param major: major version of Airflow
    """
    upload = FileStorage(io.BytesIO(content), filename=filename)
    check_import(command, major, upload)
    assert upload.stream.read() == content
    return str(upload.filename)


@pytest.mark.parametrize(
    ("command", "content"),
    [
        ("connections import", b'{"a": "http://b"}'),
        ("pools import", b"{}"),
        ("roles import", b"[]"),
        ("users import", b'[{"username": "a"}]'),
        ("variables import", '{"a": "é"}'.encode()),
        ("deploy", b"any file"),
    ],
)
def test_right_document_is_accepted(command: str, content: bytes) -> None:
    assert check(command, content, "f.json") == "f.json"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'["a"]', "must contain an object in JSON"),
        (b"null", "must contain an object in JSON"),
        (b"", "not valid JSON: Expecting value: line 1 column 1"),
        (b'{"password": hunter2}', "not valid JSON: Expecting value: line 1 column 14"),
        (b"\xff", "not UTF-8 text"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "too long a number"),
    ],
)
@pytest.mark.parametrize("command", ["connections import", "variables import"])
def test_wrong_document_is_explained(command: str, content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        check(command, content, "f.json")
    assert "hunter2" not in str(caught.value)


def test_list_of_users_is_required() -> None:
    with pytest.raises(ValueError, match="must contain a list in JSON"):
        check("users import", b"{}", "f.json")


def test_file_without_suffix_is_json() -> None:
    assert check("connections import", b"{}", "stdin") == "stdin.json"
    assert check("variables import", b"{}", "-") == "-.json"
    assert check("variables import", b"{}", "stdin", major=2) == "stdin"
    with pytest.raises(ValueError, match="not valid JSON"):
        check("connections import", b"a: b", "stdin")


def test_suffix_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must end in \.json, \.yaml, \.yml or \.env"):
        check("connections import", b"{}", "a.txt")
    assert check("variables import", b"{}", "a.txt", major=2) == "a.txt"


@pytest.mark.parametrize("name", ["c.yaml", "C.YML", "a/.env"])
def test_other_formats_are_left_to_airflow(name: str) -> None:
    assert check("connections import", b"a: [", name) == name


@given(
    st.sampled_from(sorted(JSON_TYPES)), st.binary(max_size=50), st.text(max_size=20), st.sampled_from([2, 3])
)
def test_any_file_is_accepted_or_explained(command: str, content: bytes, filename: str, major: int) -> None:
    with suppress(ValueError):
        check(command, content, filename, major)
