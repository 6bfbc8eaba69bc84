"""File names as text."""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.util.file_names import shown_name, stored_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain name.csv", "plain name.csv"),
        ("Übersicht 变量.json".encode(), "Übersicht 变量.json"),
        (b"100% sure, 5%.csv", "100% sure, 5%.csv"),
        (b"bad\xff\nname", "bad%FF%0Aname"),
        (b"bad%FF%0Aname", "bad%25FF%250Aname"),
        (b"in/a folder\x1b[2J", "in/a folder%1B[2J"),
        ("right-to-left \u202e".encode(), "right-to-left %E2%80%AE"),
        (b"%\xff%%41", "%%FF%%2541"),
    ],
)
def test_only_what_is_not_printable_is_encoded(name: bytes, shown: str) -> None:
    assert shown_name(os.fsdecode(name)) == shown
    assert os.fsencode(stored_name(shown)) == name


@given(
    st.lists(
        st.sampled_from([*(bytes([n]) for n in range(256)), b"%", b"%41", "é".encode(), "\u2028".encode()])
    )
)
def test_every_name_is_printable_and_restored(parts: list[bytes]) -> None:
    name = os.fsdecode(b"".join(parts))
    shown = shown_name(name)
    assert shown.isprintable()
    assert stored_name(shown) == name
    quote(shown)
    shown.encode()
