"""File names as text. On Linux, a file name is any bytes but NUL and the slash, so it need not be text."""

from __future__ import annotations

import os
import re

ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
LITERAL_PERCENT = re.compile(r"%(?=[0-9A-Fa-f]{2})")


def shown_name(path: str) -> str:
    """Return a path as printable text, from which ``stored_name`` restores the path.

    Bytes that are not UTF-8 and characters that cannot be printed, such as line breaks, become ``%XX``, as in
    a URL. So does a ``%`` that two hexadecimal digits follow, so that different paths never look the same.
    Other paths remain as they are.

    :param path: as Python has it, with ``surrogateescape`` (PEP 383)
    """
    escaped = LITERAL_PERCENT.sub("%25", path)
    return "".join(each if each.isprintable() else _percent_encode(each) for each in escaped)


def stored_name(shown: str) -> str:
    """Return the path that ``shown_name`` has turned into a text.

    :param shown: a text from ``shown_name``
    :raises UnicodeEncodeError: if it contains a surrogate, so it is not from ``shown_name``
    """
    return os.fsdecode(ENCODED.sub(lambda match: bytes([int(match[1], 16)]), shown.encode()))


def _percent_encode(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(character))
