"""What must not be shown: values whose names say that they are secret."""

from __future__ import annotations

import json
from typing import Any

from airflow_remote_server import strictjson

MASK = "***"

LONGEST_ECHO = 1000
"""Characters of a refused argument that are said back."""

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


def is_sensitive(name: str, names: frozenset[str] = SENSITIVE) -> bool:
    """Whether a value of this name is secret.

    :param name: a key, compared without case
    :param names: parts of names that are sensitive, in lower case
    """
    lowered = name.lower()
    return any(part in lowered for part in names)


def redact_text(value: Any, names: frozenset[str] = SENSITIVE, most: int | None = LONGEST_ECHO) -> Any:
    """Replace the secret values of a text when it is JSON; of one that is not, keep no more than a beginning.

    :param value: a text, or anything else, which is kept
    :param names: parts of names that are sensitive
    :param most: characters that are kept; None for all
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value[:most] if isinstance(value, str) else value
    try:
        return redact_json(value, names)
    except ValueError:
        return MASK


def redact_json(text: str, names: frozenset[str] = SENSITIVE) -> str:
    """Replace the secret values of a JSON text, however deep.

    :param text: JSON
    :param names: parts of names that are sensitive
    :returns: the text itself when nothing in it is secret
    :raises ValueError: when it is not JSON
    """

    def redact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: MASK if is_sensitive(key, names) else redact(item) for key, item in value.items()}
        if isinstance(value, list):
            return [redact(item) for item in value]
        return value

    document = strictjson.loads(text)
    redacted = redact(document)
    return text if redacted == document else json.dumps(redacted)
