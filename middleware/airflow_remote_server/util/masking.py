"""Mask values whose names suggest that they are secret."""

from __future__ import annotations

import json
import re
from typing import Any

from airflow_remote_server.util import strict_json

MASK = "***"

MAX_ECHO = 1000
"""The maximum number of characters of a rejected argument that are repeated to the user."""

MAX_NAME_ECHO = 8
"""The maximum number of characters of an unknown argument's name that are repeated to the user."""

PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
"""What names of arguments look like. Digits and other characters are signs of a secret."""

SENSITIVE = frozenset(
    {
        "access_token",
        "api_key",
        "apikey",
        "authorization",
        "keyfile_dict",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "secret",
        "service_account",
        "token",
    }
)
"""Parts of names that Airflow treats as sensitive (``DEFAULT_SENSITIVE_FIELDS`` of its secrets masker)."""

USERINFO = re.compile(r"""://([^\s/?#"'<>\\]+)@""")
"""What a URL has before ``@``: a name and a password, or a token."""

PARAMETER = re.compile(r"""([?&])([^\s=&?#"'<>\\]+)=([^\s&#"'<>\\]+)""")
"""A parameter of a URL's query: what precedes it, its name and its value."""


def hide_name(name: str) -> str:
    """Return enough of an unknown argument's name for its sender to recognize it, for an error message.

    The name may be a secret that was sent in the wrong place, such as a body that is not declared as JSON. So
    no more than half of it is repeated, and nothing if it does not look like a name.

    :param name: the name
    :returns: such as ``'run...'`` or ``of 40 characters``
    """
    if not PLAIN_NAME.fullmatch(name):
        return f"of {len(name)} characters"
    return repr(name[: min(len(name) // 2, MAX_NAME_ECHO)] + "...")


def is_sensitive(name: str, names: frozenset[str] = SENSITIVE) -> bool:
    """Return whether a value with this name is secret.

    :param name: a key; case does not matter
    :param names: sensitive parts of names, in lower case
    """
    lowered = name.lower()
    return any(part in lowered for part in names)


def redact_text(value: Any, names: frozenset[str] = SENSITIVE, most: int | None = MAX_ECHO) -> Any:
    """Mask the secret values in a JSON text; truncate any other text.

    :param value: a text; any other value is returned as it is
    :param names: sensitive parts of names
    :param most: maximum characters to keep of a text that is not JSON; None for all
    :returns: ``MASK`` for a text that begins like JSON and cannot be parsed
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value[:most] if isinstance(value, str) else value
    try:
        return redact_json(value, names)
    except ValueError:
        return MASK


def redact_json(text: str, names: frozenset[str] = SENSITIVE) -> str:
    """Mask the secret values in a JSON text at any depth.

    :param text: JSON
    :param names: sensitive parts of names
    :returns: the unchanged text if it holds no secret
    :raises ValueError: if it is not JSON
    """

    def redact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: MASK if is_sensitive(key, names) else redact(item) for key, item in value.items()}
        if isinstance(value, list):
            return [redact(item) for item in value]
        return value

    document = strict_json.loads(text)
    redacted = redact(document)
    return text if redacted == document else json.dumps(redacted)


def mask_urls(text: str, names: frozenset[str] = SENSITIVE) -> str:
    """Mask what the URLs in a text have before ``@``, and their sensitive parameters.

    :param text: any text
    :param names: sensitive parts of names
    """
    if "://" not in text:
        return text

    def mask_parameter(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}={MASK}" if is_sensitive(match[2], names) else match[0]

    return PARAMETER.sub(mask_parameter, USERINFO.sub(f"://{MASK}@", text))


def query_parameters(text: str) -> list[tuple[str, str]]:
    """Return the names and values of the parameters of the URLs in a text, as they are written."""
    return [(name, value) for _, name, value in PARAMETER.findall(text)]
