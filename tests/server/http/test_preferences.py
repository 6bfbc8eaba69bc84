"""Test the headers ``Accept``, ``Prefer`` and ``Idempotency-Key``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from airflow_remote_server.errors import BadArguments
from airflow_remote_server.http.preferences import (
    EVENTS,
    JSON,
    MAX_KEY_LENGTH,
    TEXT,
    Preferences,
    read,
)

DEFAULT_WAIT = 7.0
MAX_WAIT = 100.0
HEADER = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=300
)
"""Header values that a web server may pass on."""


def preferences_of(*headers: tuple[str, str]) -> Preferences:
    """Return the preferences of a request with these headers."""
    return read(Request(EnvironBuilder(headers=[*headers]).get_environ()), MAX_WAIT, DEFAULT_WAIT)


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
def test_accept_header_selects_media_type(accept: str, media: str) -> None:
    assert preferences_of(("Accept", accept)).media == media


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
        ("wait=99999999999999999999", MAX_WAIT, "wait=100"),
    ],
)
def test_prefer_header_sets_wait(prefer: str, wait: float, applied: str) -> None:
    preferences = preferences_of(("Prefer", prefer))
    assert (preferences.wait, preferences.explicit, preferences.applied_headers) == (
        wait,
        True,
        {"Preference-Applied": applied},
    )


@pytest.mark.parametrize(
    "prefer", ["", "wait", "wait=", "wait=-1", "wait=1.5", "wait=²", "wait=x", "waits=5", "=5"]
)
def test_invalid_preference_is_ignored(prefer: str) -> None:
    preferences = preferences_of(("Prefer", prefer))
    assert (preferences.wait, preferences.explicit, preferences.applied_headers) == (DEFAULT_WAIT, False, {})


def test_multiple_prefer_headers_are_joined() -> None:
    assert preferences_of(("Prefer", "respond-async"), ("Prefer", "wait=3")).wait == 3


@given(st.integers(0, 10**8))
def test_wait_is_capped(seconds: int) -> None:
    assert preferences_of(("Prefer", f"wait={seconds}")).wait == min(seconds, MAX_WAIT)


@given(HEADER)
def test_any_prefer_header_is_handled(text: str) -> None:
    preferences = preferences_of(("Prefer", text))
    assert 0 <= preferences.wait <= MAX_WAIT
    assert preferences.explicit or preferences.wait == DEFAULT_WAIT


@given(HEADER)
def test_any_accept_header_is_handled(text: str) -> None:
    assert preferences_of(("Accept", text)).media in (JSON, TEXT, EVENTS)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e"', "8e03978e"),
        (" a b ", "a b"),
        ('"', '"'),
        ('a"', 'a"'),
        ("x" * MAX_KEY_LENGTH, "x" * MAX_KEY_LENGTH),
    ],
)
def test_key_may_be_bare_or_quoted(header: str, key: str) -> None:
    assert preferences_of(("Idempotency-Key", header)).key == key


@pytest.mark.parametrize("header", ["", " ", '""', "x" * (MAX_KEY_LENGTH + 1), "é", "a\tb", "a\x7fb"])
def test_invalid_key_is_rejected(header: str) -> None:
    with pytest.raises(BadArguments, match="printable ASCII"):
        preferences_of(("Idempotency-Key", header))


@given(HEADER)
def test_any_key_is_printable_and_short_or_rejected(text: str) -> None:
    try:
        key: Any = preferences_of(("Idempotency-Key", text)).key
    except BadArguments:
        stripped = text.strip()
        assert len(stripped) in (0, 2) or not stripped.isascii() or len(stripped) > MAX_KEY_LENGTH
        return
    assert 0 < len(key) <= MAX_KEY_LENGTH
    assert key.isascii()
    assert key.isprintable()
    assert key in text


def test_defaults_without_headers() -> None:
    assert preferences_of() == Preferences(JSON, DEFAULT_WAIT, False, None)
