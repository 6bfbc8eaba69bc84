"""A new token, and its entry for the server's tokens file. Nothing is sent: who has that file lets it in."""

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
"""256 bits."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
DAYS = re.compile(r"([0-9]{1,5})d")


def make_token() -> str:
    """A token that nobody can guess, and that is not taken for an option."""
    while not (made := secrets.token_urlsafe(BYTES))[0].isalnum():
        continue
    return made


def written(
    token: str,
    name: str,
    role: str,
    commands: Sequence[str] = (),
    dags: Sequence[str] = (),
    expires: datetime | None = None,
    networks: Sequence[str] = (),
) -> str:
    """The entry, TOML. It has the token's SHA-256, which is of no use to who reads it.

    :param token: the token
    :param name: whose it is
    :param role: what it may do
    :param commands: globs over commands
    :param dags: globs over ids of DAGs
    :param expires: when it ends, with its zone
    :param networks: as 192.0.2.0/24
    """
    digest = hashlib.sha256(token.encode()).hexdigest()
    lines = ["[[token]]", f"name = {_text(name)}", f'sha256 = "{digest}"', f"role = {_text(role)}"]
    for key, values in (("commands", commands), ("dags", dags)):
        lines += [f"{key} = [{', '.join(map(_text, values))}]"] if values else []
    if expires is not None:
        lines.append(f"expires = {expires.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}")
    lines += [f"networks = [{', '.join(map(_text, networks))}]"] if networks else []
    return "".join(f"{line}\n" for line in lines)


def _text(value: str) -> str:
    """A basic string of TOML: one of JSON is one, where no character is written as two escapes."""
    return json.dumps(value, ensure_ascii=False)


def moment(text: str) -> datetime:
    """A time from the command line: ``2027-01-01``, ``2027-01-01T12:00:00+02:00``, or ``90d`` from now.

    :raises ValueError: when it is none
    """
    days = DAYS.fullmatch(text)
    if days is not None:
        return datetime.now(timezone.utc) + timedelta(days=int(days[1]))
    found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    return found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)
