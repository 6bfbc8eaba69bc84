"""Mask known secrets in text and in streams of bytes, in each spelling in which a program may print them.

All matches of all secrets are found, and what overlaps or touches becomes one ``***``. A stream gives the
same result however it is divided. The first bytes of the secrets select the candidates by one regular
expression, so that the work for each byte does not depend on how many secrets there are.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from airflow_remote_server.util.masking import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_SECRET = 5
"""The minimum number of characters of a secret: masking shorter ones would damage ordinary text, and would
show by what is masked what a short secret is. Airflow's own masker has the same minimum."""

MAX_PIECE = 256
"""A longer secret is masked in pieces of this many characters, so that little output has to be held back."""

MIN_BASE64 = 8
"""The minimum number of base64 characters that show a secret well enough to be masked."""

KEY = MIN_SECRET
"""The number of leading bytes by which patterns are found."""

HEX = re.compile(r"%[0-9A-F]{2}")


class Masker:
    """Replaces secrets.

    :param secrets: the secrets; those with fewer than ``MIN_SECRET`` characters are ignored
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        patterns = sorted({pattern for secret in secrets for pattern in _patterns(secret)})
        self._by_key: dict[bytes, list[bytes]] = {}
        for pattern in patterns:
            self._by_key.setdefault(pattern[:KEY], []).append(pattern)
        for found in self._by_key.values():
            found.sort(key=len, reverse=True)
        self._prefixes = {key[:size] for key in self._by_key for size in range(1, KEY)}
        self._candidates = re.compile(_alternatives(sorted(self._by_key)), re.DOTALL)

    def __bool__(self) -> bool:
        """Return whether there is anything to mask."""
        return bool(self._by_key)

    def mask(self, text: str) -> str:
        """Return a text with its secrets masked."""
        if not self:
            return text
        masked = self.stream().feed(text.encode("utf-8", "surrogatepass"), final=True)
        return masked.decode("utf-8", "surrogatepass")

    def stream(self) -> StreamMasker:
        """Return an object that masks one stream."""
        return StreamMasker(self)

    def find(self, data: bytes, final: bool) -> tuple[list[tuple[int, int]], int]:
        """Find secrets.

        :param data: the data
        :param final: whether nothing follows the data
        :returns: start and end of the longest secret at each position, in order of their starts; and the
            start of the first text that may become a longer secret when more data follows
        """
        found: list[tuple[int, int]] = []
        match = self._candidates.search(data) if self else None
        while match is not None:
            start = match.start()
            patterns = self._by_key[data[start : start + KEY]]
            left = len(data) - start
            if not final and any(
                len(pattern) > left and data.endswith(pattern[:left]) for pattern in patterns
            ):
                return found, start
            longest = next((pattern for pattern in patterns if data.startswith(pattern, start)), None)
            if longest is not None:
                found.append((start, start + len(longest)))
            match = self._candidates.search(data, start + 1)
        if not final:
            for start in range(max(0, len(data) - KEY + 1), len(data)):
                if data[start:] in self._prefixes:
                    return found, start
        return found, len(data)


class StreamMasker:
    """Masks one stream of bytes. It holds back only what may be the beginning of a secret.

    :param masker: has the secrets
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""
        self._masked = -1
        """How many of the bytes held back belong to a secret that was replaced already; 0 if such a secret
        ends directly before them; -1 if there is none."""

    def feed(self, data: bytes, final: bool = False) -> bytes:
        """Return what can be shown by now.

        :param data: what follows in the stream
        :param final: whether the stream ends
        """
        data = self._held + data
        found, end = self._masker.find(data, final)
        masked, shown = self._masked, []
        position = max(0, masked)
        for start, stop in found:
            if start > masked:
                shown += [data[position:start], MASK.encode()]
            masked = position = max(masked, stop)
        shown.append(data[position:end])
        self._held, self._masked = data[end:], masked - end if masked >= end else -1
        return b"".join(shown)


def _patterns(secret: str) -> set[bytes]:
    """Return what to look for: each spelling of a secret and of each of its lines."""
    whole = secret.strip()
    texts = {whole} | {line.strip() for line in whole.splitlines()}
    texts |= {decode(text) for text in set(texts) for decode in (unquote, unquote_plus)}
    texts = {text for text in texts if len(text) >= MIN_SECRET and text.strip("*")}
    spelled = {spelling for text in texts for spelling in _spellings(text)}
    if len(whole) >= MIN_SECRET:
        spelled |= _base64_spellings(whole)
    pieces = {piece for spelling in spelled for piece in _pieces(spelling)}
    return {piece.encode("utf-8", "surrogatepass") for piece in pieces}


def _spellings(text: str) -> set[str]:
    """Return a text as it is, and as URLs, JSON, Python, and shells spell it."""
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    escaped |= {json.dumps(spelling)[1:-1] for spelling in escaped}  # JSON inside of JSON
    quotable = text.encode("utf-8", "replace")
    in_urls = {quote(quotable), quote(quotable, safe=""), quote_plus(quotable)}
    in_urls |= {HEX.sub(lambda match: match[0].lower(), spelling) for spelling in in_urls}
    return {text, shlex.quote(text).strip("'"), text.replace("'", "\\'"), *escaped, *in_urls}


def _base64_spellings(text: str) -> set[str]:
    """Return what base64 makes of a text, whatever stands before and after it.

    Only the characters that depend on nothing but the text are kept. The text may begin at each of the three
    bytes that make up four characters.
    """
    data = text.encode("utf-8", "surrogatepass")
    spellings = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode("ascii").rstrip("=")
        partial = (before + len(data)) % 3 != 0
        encoded = encoded[before + 1 if before else 0 : len(encoded) - partial]
        if len(encoded) >= MIN_BASE64:
            spellings |= {encoded, encoded.translate(str.maketrans("+/", "-_"))}
    return spellings


def _pieces(text: str) -> list[str]:
    pieces = [text[start : start + MAX_PIECE] for start in range(0, len(text), MAX_PIECE)]
    return [*pieces[:-1], text[-MAX_PIECE:]]


def _alternatives(keys: list[bytes], depth: int = 0) -> bytes:
    """Return a regular expression for sorted keys of one length, their common beginnings factored out."""
    if not keys or depth == len(keys[0]):
        return b""
    branches = [
        re.escape(bytes([first])) + _alternatives(list(group), depth + 1)
        for first, group in groupby(keys, key=lambda key: key[depth])
    ]
    return branches[0] if len(branches) == 1 else b"(?:" + b"|".join(branches) + b")"
