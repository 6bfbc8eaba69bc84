from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from airflow_remote_server.delivery import DEFAULT_WAIT, EVENTS, JSON, LONGEST_KEY, TEXT, Delivery, read
from airflow_remote_server.errors import BadArguments

LONGEST = 100.0
HEADER = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=300
)
"""What a header may hold when it has come through a server."""


def delivery(*headers: tuple[str, str]) -> Delivery:
    """How a request with these headers is to be answered."""
    return read(Request(EnvironBuilder(headers=[*headers]).get_environ()), LONGEST)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("text/plain", TEXT),
        ("text/*", TEXT),
        ("application/x-ndjson", EVENTS),
        ("text/plain;q=0.5, application/json", JSON),
        ("text/plain, application/json;q=0.5", TEXT),
        ("application/x-ndjson, text/plain;q=0.9, */*;q=0.1", EVENTS),
        ("image/png", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        (";;,=q", JSON),
    ],
)
def test_accept_decides_the_type(accept: str, media: str) -> None:
    assert delivery(("Accept", accept)).media == media


@pytest.mark.parametrize(
    ("prefer", "wait", "applied"),
    [
        ("wait=5", 5, "wait=5"),
        ("WAIT = 5", 5, "wait=5"),
        ('wait="5"', 5, "wait=5"),
        ("wait=5; foo=bar", 5, "wait=5"),
        ("respond-async", 0, "respond-async"),
        ("Respond-Async", 0, "respond-async"),
        ("respond-async, wait=10", 10, "wait=10"),
        ("wait=10, respond-async", 10, "wait=10"),
        ("return=minimal, wait=7", 7, "wait=7"),
        ("wait=0", 0, "respond-async"),
        ("wait=99999999999999999999", LONGEST, "wait=100"),
    ],
)
def test_prefer_says_how_long_to_wait(prefer: str, wait: float, applied: str) -> None:
    found = delivery(("Prefer", prefer))
    assert (found.wait, found.asked, found.applied) == (wait, True, {"Preference-Applied": applied})


@pytest.mark.parametrize(
    "prefer", ["", "wait", "wait=", "wait=-1", "wait=1.5", "wait=²", "wait=x", "waits=5", "=5"]
)
def test_a_preference_that_cannot_be_understood_is_ignored(prefer: str) -> None:
    found = delivery(("Prefer", prefer))
    assert (found.wait, found.asked, found.applied) == (DEFAULT_WAIT, False, {})


def test_several_headers_are_one_list() -> None:
    assert delivery(("Prefer", "respond-async"), ("Prefer", "wait=3")).wait == 3


@given(st.integers(0, 10**8))
def test_a_wait_is_the_number_up_to_the_longest(seconds: int) -> None:
    assert delivery(("Prefer", f"wait={seconds}")).wait == min(seconds, LONGEST)


@given(HEADER)
def test_no_preference_does_harm(text: str) -> None:
    found = delivery(("Prefer", text))
    assert 0 <= found.wait <= LONGEST
    assert found.asked or found.wait == DEFAULT_WAIT


@given(HEADER)
def test_no_accept_header_does_harm(text: str) -> None:
    assert delivery(("Accept", text)).media in (JSON, TEXT, EVENTS)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e"', "8e03978e"),
        (" a b ", "a b"),
        ('"', '"'),
        ('a"', 'a"'),
        ("x" * LONGEST_KEY, "x" * LONGEST_KEY),
    ],
)
def test_a_key_is_taken_bare_or_quoted(header: str, key: str) -> None:
    assert delivery(("Idempotency-Key", header)).key == key


@pytest.mark.parametrize("header", ["", " ", '""', "x" * (LONGEST_KEY + 1), "é", "a\tb", "a\x7fb"])
def test_what_cannot_be_a_key_is_refused(header: str) -> None:
    with pytest.raises(BadArguments, match="printable ASCII"):
        delivery(("Idempotency-Key", header))


@given(HEADER)
def test_a_key_is_printable_and_short_or_refused(text: str) -> None:
    try:
        key: Any = delivery(("Idempotency-Key", text)).key
    except BadArguments:
        stripped = text.strip()
        assert len(stripped) in (0, 2) or not stripped.isascii() or len(stripped) > LONGEST_KEY
        return
    assert 0 < len(key) <= LONGEST_KEY
    assert key.isascii()
    assert key.isprintable()
    assert key in text


def test_a_request_that_says_nothing() -> None:
    assert delivery() == Delivery(JSON, DEFAULT_WAIT, False, None)
