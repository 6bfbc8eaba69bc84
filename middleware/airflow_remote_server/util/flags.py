"""Read flags from requests."""

from __future__ import annotations

from typing import Any

TRUE = frozenset({"", "true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})


def parse_flag(value: Any) -> bool | None:
    """Return the state of a flag; None if the value is not one.

    :param value: a text, whose case does not matter, or a JSON value; an empty text sets the flag
    """
    if isinstance(value, bool):
        return value
    text = str(value).lower() if isinstance(value, (str, int)) else None
    return True if text in TRUE else False if text in FALSE else None
