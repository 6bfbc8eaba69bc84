"""The text of a tokens file (``tokens``), to tokens: all that is said in it is understood, or none."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from airflow_remote_server.roles import BUILT_IN, Permit, Role

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 1 << 20
"""Most bytes of a tokens file."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
RESERVED = frozenset({"token", "anonymous"})
"""Names of who comes in by another way (``auth``)."""

NOTHING = hashlib.sha256(b"").digest()


class BrokenTokens(Exception):
    """Raised when the tokens file cannot be used; the message says why, and holds nothing secret."""


@dataclass(frozen=True)
class Token:
    """An entry of the file.

    :param name: whose it is
    :param digest: SHA-256 of the token
    :param permit: what it may do
    :param expires: when it ends; None for never
    :param networks: where it may come from; None for anywhere
    """

    name: str
    digest: bytes
    permit: Permit
    expires: datetime | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] | None = None

    def comes_from(self, peer: str) -> bool:
        """Whether it may be used from an address."""
        if self.networks is None:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self.networks)


def parse(data: bytes) -> tuple[Token, ...]:
    """Read the content of a tokens file.

    :param data: TOML
    :raises BrokenTokens: when it cannot be used
    """
    if len(data) > LARGEST:
        raise BrokenTokens(f"it has over {LARGEST} bytes")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise BrokenTokens("it is not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"\(at [a-z0-9 ,]+\)", str(error))  # its own words may hold some of the text
        raise BrokenTokens(f"it is not valid TOML {place[0] if place else ''}".rstrip()) from None
    entries, roles = document.pop("token", []), document.pop("role", {})
    if document or not isinstance(entries, list) or not isinstance(roles, dict):
        raise BrokenTokens("it must have [[token]] and [role.NAME], and nothing else")
    known = {**BUILT_IN}
    for name, said in roles.items():
        known[name] = make_role(name, said, known)
    tokens = tuple(make_token(f"[[token]] number {n}", said, known) for n, said in enumerate(entries, 1))
    seen: set[str | bytes] = set()
    for n, token in enumerate(tokens, 1):
        if token.name in seen or token.digest in seen:
            raise BrokenTokens(f"[[token]] number {n} has the name or the sha256 of another one")
        seen.update((token.name, token.digest))
    return tokens


def make_role(name: str, said: Any, known: Mapping[str, Role]) -> Role:
    """A role of the file.

    :param name: its name
    :param said: its table
    :param known: the built-in ones, and those before it
    :raises BrokenTokens: when it cannot be used
    """
    where = f"[role.{name}]" if NAME.fullmatch(name) else "a role"
    if name in BUILT_IN:
        raise BrokenTokens(f"{where}: this role is built in; choose another name")
    if where == "a role":
        raise BrokenTokens(f"{where}: its name must be {_SHAPE}")
    table = Table(where, said)
    base = table.text("base", required=False)
    if base is not None and base not in known:
        raise BrokenTokens(f"{where}: base must be a built-in role, or one that stands before it")
    commands, deny = table.globs("commands") or (), table.globs("deny") or ()
    table.end()
    start = known[base] if base is not None else Role("")
    return Role(name, start.reads, (*start.commands, *commands), (*start.deny, *deny), start.everything)


def make_token(where: str, said: Any, roles: Mapping[str, Role]) -> Token:
    """A token of the file.

    :param where: what to call it when something is wrong
    :param said: its table
    :param roles: by name
    :raises BrokenTokens: when it cannot be used
    """
    table = Table(where, said)
    name, digest, role = table.text("name"), table.text("sha256"), table.text("role")
    if not NAME.fullmatch(name or "") or name in RESERVED:
        raise BrokenTokens(f"{where}: name must be {_SHAPE}, and not one of {', '.join(sorted(RESERVED))}")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest or "") or bytes.fromhex(str(digest)) == NOTHING:
        raise BrokenTokens(f"{where}: sha256 must be the SHA-256 of the token, 64 hexadecimal digits")
    if role not in roles:
        raise BrokenTokens(f"{where}: role must be one of {', '.join(roles)}")
    permit = Permit(roles[str(role)], table.globs("commands"), table.globs("dags"))
    token = Token(str(name), bytes.fromhex(str(digest)), permit, table.moment("expires"), table.networks())
    table.end()
    return token


_SHAPE = "1 to 80 letters, digits or ._@-, and begin with a letter or a digit"


class Table:
    """A table of the file, whose keys are taken one by one.

    :param where: what to call it when something is wrong
    :param said: its content
    :raises BrokenTokens: when it is no table
    """

    def __init__(self, where: str, said: Any) -> None:
        if not isinstance(said, dict):
            raise BrokenTokens(f"{where} must be a table")
        self.where, self.left = where, dict(said)

    def text(self, key: str, required: bool = True) -> str | None:
        """A text.

        :raises BrokenTokens: when it is none, or not there
        """
        value = self.left.pop(key, None)
        if not isinstance(value, str) and (required or value is not None):
            raise BrokenTokens(f"{self.where}: {key} must be a text")
        return value

    def globs(self, key: str) -> tuple[str, ...] | None:
        """A list of texts; None when it is not there.

        :raises BrokenTokens: when it is no list of texts; an empty one is more likely a mistake than meant so
        """
        value = self.left.pop(key, None)
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(glob, str) and glob for glob in value)
        ):
            raise BrokenTokens(f"{self.where}: {key} must be a list of texts, with at least one")
        return tuple(" ".join(glob.split()) for glob in value)

    def moment(self, key: str) -> datetime | None:
        """A time; None when it is not there.

        :raises BrokenTokens: when it is none, or its zone is not said
        """
        value = self.left.pop(key, None)
        if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
            raise BrokenTokens(f"{self.where}: {key} must be a time with its zone, as 2027-01-01T00:00:00Z")
        return value

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...] | None:
        """The networks; None when they are not there.

        :raises BrokenTokens: when one is none
        """
        listed = self.globs("networks")
        try:
            return None if listed is None else tuple(ip_network(text) for text in listed)
        except ValueError:
            raise BrokenTokens(f"{self.where}: networks must be like 192.0.2.0/24") from None

    def end(self) -> None:
        """See that nothing is left.

        :raises BrokenTokens: a restriction with a mistake in its name must not be left out
        """
        if self.left:
            known = "name, sha256, role, commands, dags, expires, networks; of a role base, commands, deny"
            raise BrokenTokens(f"{self.where} has a key that is none of {known}")
