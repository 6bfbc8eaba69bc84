"""Known secrets are masked in text and in streams."""

from __future__ import annotations

import base64
import json
import re
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.util.masker import MAX_PIECE, MIN_SECRET, Masker

SECRET = "p@ss/w rd'é\"\\%41"
SPELLINGS = {
    "as it is": SECRET,
    "percent-encoded": quote(SECRET),
    "percent-encoded throughout": quote(SECRET, safe=""),
    "percent-encoded in lower case": re.sub("%..", lambda match: match[0].lower(), quote(SECRET)),
    "as in a form": quote_plus(SECRET),
    "in JSON": json.dumps(SECRET)[1:-1],
    "in JSON beyond ASCII": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "in JSON inside of JSON": json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
    "in Python": repr(SECRET)[1:-1],
}

TEXTS = st.text("abc%", max_size=40)
SECRETS = st.lists(st.text("abc%", max_size=12), max_size=6)


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_each_spelling_is_masked(spelling: str) -> None:
    assert Masker([SECRET]).mask(f"<{spelling}>") == "<***>"


def test_shell_quotes_are_understood() -> None:
    assert Masker(["it's me"]).mask(shlex.join(["echo", "it's me"])) == "echo '***'"


def test_percent_encoded_secret_is_masked_when_it_is_decoded() -> None:
    assert Masker(["p%40ss%2Fword"]).mask("p@ss/word") == "***"


@given(st.binary(max_size=4), st.binary(max_size=4), st.text(min_size=12))
def test_base64_with_other_data_around_it_does_not_show_the_secret(
    before: bytes, after: bytes, secret: str
) -> None:
    secret = f"x{secret.encode('utf-8', 'replace').decode()}x"
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    masked = Masker([secret]).mask(encoded)
    assert "***" in masked
    assert len(masked.replace("***", "")) <= 4 * ((len(before) + 2) // 3 + (len(after) + 2) // 3 + 2)


def test_each_line_is_masked() -> None:
    key = "-----BEGIN KEY-----\nline of it\nabc\n"
    assert Masker([key]).mask("log: line of it\nlog: abc") == "log: ***\nlog: abc"
    assert Masker([key]).mask(key) == "***\n"
    assert Masker([key]).mask(json.dumps({"key": key})) == '{"key": "***\\n"}'


def test_long_secret_is_masked_as_a_whole() -> None:
    secret = "".join(map(chr, range(0x4E00, 0x4E00 + 3 * MAX_PIECE + 2)))
    assert Masker([secret]).mask(f"a{secret}b") == "a***b"


@pytest.mark.parametrize("secret", ["", "abcd", " a b ", "     ", "*****"])
def test_short_secrets_and_blanks_do_not_damage_text(secret: str) -> None:
    masker = Masker([secret])
    assert not masker
    assert masker.mask(f"text {secret} text") == f"text {secret} text"


def test_text_that_is_no_unicode_is_kept() -> None:
    assert Masker(["secret"]).mask("\udcff\ud800 secret") == "\udcff\ud800 ***"


@given(SECRETS, TEXTS, st.lists(st.integers(0, 40)))
def test_stream_is_masked_alike_however_it_is_divided(
    secrets: list[str], text: str, borders: list[int]
) -> None:
    masker = Masker(secrets)
    stream, data = masker.stream(), text.encode()
    ends = sorted({border for border in borders if border < len(data)})
    shown = b"".join(stream.feed(data[start:end]) for start, end in zip([0, *ends], [*ends, len(data)]))
    assert (shown + stream.feed(b"", final=True)).decode() == masker.mask(text)


@given(st.lists(st.text("abc", max_size=12), max_size=6), st.text("abc", max_size=40))
def test_all_of_each_secret_is_masked_and_nothing_else(secrets: list[str], text: str) -> None:
    covered = [False] * len(text)
    for secret in secrets:
        for start in range(len(text)):
            if len(secret) >= MIN_SECRET and text.startswith(secret, start):
                covered[start : start + len(secret)] = [True] * len(secret)
    expected, hidden = "", False
    for character, hide in zip(text, covered):
        expected += "" if hide and hidden else "***" if hide else character
        hidden = hide
    assert Masker(secrets).mask(text) == expected


@given(SECRETS, TEXTS)
def test_only_the_beginning_of_a_secret_is_held_back(secrets: list[str], text: str) -> None:
    stream = Masker(secrets).stream()
    shown = stream.feed(f"{text}.".encode())
    assert shown.endswith(b"."), "no secret contains this character"
