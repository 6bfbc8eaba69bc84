"""What must not be shown: values whose names say that they are secret."""

from __future__ import annotations

import json
from typing import Any

MASK = "***"

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


def redact_json(text: str, names: frozenset[str] = SENSITIVE) -> str:
    """Replace the secret values of a JSON text, however deep.

    :param text: JSON
    :param names: parts of names that are sensitive
    :returns: the text itself when nothing in it is secret
    """

    def redact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: MASK if is_sensitive(key, names) else redact(item) for key, item in value.items()}
        if isinstance(value, list):
            return [redact(item) for item in value]
        return value

    document = json.loads(text)
    redacted = redact(document)
    return text if redacted == document else json.dumps(redacted)
