"""Create a token and its entry for the server's tokens file. Nothing is sent to the server."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTES = 32
"""The length of a token: 256 bits."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
DAYS = re.compile(r"([0-9]{1,5})d")


def make_token() -> str:
    """Return a random token that does not start with -, so that it is not mistaken for an option."""
    while not (token := secrets.token_urlsafe(BYTES))[0].isalnum():
        continue
    return token


def format_entry(
    token: str,
    name: str,
    role: str,
    commands: Sequence[str] = (),
    dags: Sequence[str] = (),
    expires: datetime | None = None,
    networks: Sequence[str] = (),
) -> str:
    """Format a tokens-file entry as TOML. It has the token's SHA-256, not the token.

    :param token: the token
    :param name: the owner
    :param role: the role
    :param commands: glob patterns of commands
    :param dags: glob patterns of DAG ids
    :param expires: expiry, with a time zone
    :param networks: networks such as 192.0.2.0/24
    """
    digest = hashlib.sha256(token.encode()).hexdigest()
    lines = ["[[token]]", f"name = {_quote(name)}", f'sha256 = "{digest}"', f"role = {_quote(role)}"]
    for key, values in (("commands", commands), ("dags", dags)):
        lines += [f"{key} = [{', '.join(map(_quote, values))}]"] if values else []
    if expires is not None:
        lines.append(f"expires = {expires.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}")
    lines += [f"networks = [{', '.join(map(_quote, networks))}]"] if networks else []
    return "".join(f"{line}\n" for line in lines)


def _quote(value: str) -> str:
    """Quote a TOML basic string; JSON strings are valid ones if no character becomes a surrogate pair."""
    return json.dumps(value, ensure_ascii=False)


def parse_expiry(text: str) -> datetime:
    """Parse an expiry: ``2027-01-01``, ``2027-01-01T12:00:00+02:00``, or ``90d`` from now.

    :raises ValueError: if it is invalid
    """
    days = DAYS.fullmatch(text)
    if days is not None:
        return datetime.now(timezone.utc) + timedelta(days=int(days[1]))
    expiry = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    return expiry if expiry.tzinfo is not None else expiry.replace(tzinfo=timezone.utc)
