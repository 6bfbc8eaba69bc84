"""Parse the text of a tokens file; a file with a single mistake is rejected as a whole."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from airflow_remote_server.auth.permissions import BUILT_IN, Permissions, Role

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 1 << 20
"""The largest tokens file, in bytes."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
RESERVED = frozenset({"token", "anonymous"})
"""Names of principals that are not in the file (see ``authenticator``)."""

EMPTY_DIGEST = hashlib.sha256(b"").digest()


class InvalidTokensFile(Exception):
    """Raised if the tokens file cannot be used; the message says why, and contains no secrets."""


@dataclass(frozen=True)
class Token:
    """An entry of the file.

    :param name: the name of its principal
    :param digest: the SHA-256 digest of the token
    :param permissions: what it may do
    :param expires: when it expires; None if it never does
    :param networks: the networks that it may be used from; None for all
    """

    name: str
    digest: bytes
    permissions: Permissions
    expires: datetime | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] | None = None

    def allows(self, peer: str) -> bool:
        """Return whether it may be used from an address.

        :param peer: the address
        """
        if self.networks is None:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self.networks)


def parse(data: bytes) -> tuple[Token, ...]:
    """Return the tokens of a tokens file.

    :param data: the content of the file, as TOML
    :raises InvalidTokensFile: if it is not valid
    """
    if len(data) > LARGEST:
        raise InvalidTokensFile(f"it is larger than {LARGEST} bytes")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidTokensFile("it is not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"\(at [a-z0-9 ,]+\)", str(error))  # the message itself may quote the file
        raise InvalidTokensFile(f"it is not valid TOML {place[0] if place else ''}".rstrip()) from None
    entries, roles = document.pop("token", []), document.pop("role", {})
    if document or not isinstance(entries, list) or not isinstance(roles, dict):
        raise InvalidTokensFile("it may contain only [[token]] and [role.NAME] tables")
    known = {**BUILT_IN}
    for name, content in roles.items():
        known[name] = make_role(name, content, known)
    tokens = tuple(
        make_token(f"[[token]] number {n}", content, known) for n, content in enumerate(entries, 1)
    )
    seen: set[str | bytes] = set()
    for n, token in enumerate(tokens, 1):
        if token.name in seen or token.digest in seen:
            raise InvalidTokensFile(f"[[token]] number {n} has the same name or sha256 as another token")
        seen.update((token.name, token.digest))
    return tokens


def make_role(name: str, content: Any, known: Mapping[str, Role]) -> Role:
    """Return a role of the file.

    :param name: its name
    :param content: its table
    :param known: the built-in roles, and the roles before it
    :raises InvalidTokensFile: if it is not valid
    """
    where = f"[role.{name}]" if NAME.fullmatch(name) else "a role"
    if name in BUILT_IN:
        raise InvalidTokensFile(f"{where}: this role is built in; choose another name")
    if where == "a role":
        raise InvalidTokensFile(f"{where}: its name must be {_SHAPE}")
    table = Table(where, content)
    base = table.pop_text("base", required=False)
    if base is not None and base not in known:
        raise InvalidTokensFile(f"{where}: base must be a built-in role or a role above it")
    commands, deny = table.pop_globs("commands") or (), table.pop_globs("deny") or ()
    table.reject_unknown()
    start = known[base] if base is not None else Role("")
    return Role(name, start.reads, (*start.commands, *commands), (*start.deny, *deny), start.everything)


def make_token(where: str, content: Any, roles: Mapping[str, Role]) -> Token:
    """Return a token of the file.

    :param where: its place in the file, for error messages
    :param content: its table
    :param roles: the roles by name
    :raises InvalidTokensFile: if it is not valid
    """
    table = Table(where, content)
    name, digest, role = table.pop_text("name"), table.pop_text("sha256"), table.pop_text("role")
    if not NAME.fullmatch(name or "") or name in RESERVED:
        reserved = ", ".join(sorted(RESERVED))
        raise InvalidTokensFile(f"{where}: name must be {_SHAPE}, and not one of {reserved}")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest or "") or bytes.fromhex(str(digest)) == EMPTY_DIGEST:
        raise InvalidTokensFile(f"{where}: sha256 must be the SHA-256 of the token, 64 hexadecimal digits")
    if role not in roles:
        raise InvalidTokensFile(f"{where}: role must be one of {', '.join(roles)}")
    permissions = Permissions(roles[str(role)], table.pop_globs("commands"), table.pop_globs("dags"))
    token = Token(
        str(name), bytes.fromhex(str(digest)), permissions, table.pop_time("expires"), table.pop_networks()
    )
    table.reject_unknown()
    return token


_SHAPE = "1 to 80 letters, digits or ._@-, and start with a letter or a digit"


class Table:
    """A table of the file, whose keys are removed as they are read.

    :param where: its place in the file, for error messages
    :param content: its content
    :raises InvalidTokensFile: if it is not a table
    """

    def __init__(self, where: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise InvalidTokensFile(f"{where} must be a table")
        self.where, self.left = where, dict(content)

    def pop_text(self, key: str, required: bool = True) -> str | None:
        """Remove a key and return its text.

        :param key: the key
        :param required: whether the key must exist; otherwise, None is returned
        :raises InvalidTokensFile: if the value is not text
        """
        value = self.left.pop(key, None)
        if not isinstance(value, str) and (required or value is not None):
            raise InvalidTokensFile(f"{self.where}: {key} must be text")
        return value

    def pop_globs(self, key: str) -> tuple[str, ...] | None:
        """Remove a key and return its list of patterns; None if the key does not exist.

        :param key: the key
        :raises InvalidTokensFile: if the value is not a list of texts, or empty, which is probably a mistake
        """
        value = self.left.pop(key, None)
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(glob, str) and glob for glob in value)
        ):
            raise InvalidTokensFile(f"{self.where}: {key} must be a list with at least one text")
        return tuple(" ".join(glob.split()) for glob in value)

    def pop_time(self, key: str) -> datetime | None:
        """Remove a key and return its time; None if the key does not exist.

        :param key: the key
        :raises InvalidTokensFile: if the value is not a time with a time zone
        """
        value = self.left.pop(key, None)
        if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
            raise InvalidTokensFile(
                f"{self.where}: {key} must be a time with a time zone, such as 2027-01-01T00:00:00Z"
            )
        return value

    def pop_networks(self) -> tuple[IPv4Network | IPv6Network, ...] | None:
        """Remove the networks and return them; None if they do not exist.

        :raises InvalidTokensFile: if one is not a network
        """
        listed = self.pop_globs("networks")
        try:
            return None if listed is None else tuple(ip_network(text) for text in listed)
        except ValueError:
            raise InvalidTokensFile(f"{self.where}: networks must be like 192.0.2.0/24") from None

    def reject_unknown(self) -> None:
        """Reject unknown keys: a misspelled restriction must not be ignored.

        :raises InvalidTokensFile: if a key is left
        """
        if self.left:
            known = "name, sha256, role, commands, dags, expires, networks; for a role: base, commands, deny"
            raise InvalidTokensFile(f"{self.where} has an unknown key; the keys are: {known}")
