"""The commands of the installed Airflow as endpoints: from what its parser has to what a request may hold."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalogue import traits
from airflow_remote_server.catalogue.document import document
from airflow_remote_server.catalogue.policy import ARGUMENTS
from airflow_remote_server.catalogue.renames import missing, renamed
from airflow_remote_server.catalogue.spec import Argument, Endpoint, Form, Kind
from airflow_remote_server.catalogue.validation import nearest
from airflow_remote_server.errors import NotFound, NotInThisAirflow
from airflow_remote_server.roles import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_remote_server.catalogue.policy import Policy
    from airflow_remote_server.catalogue.source import Source
    from airflow_remote_server.roles import Permit

MOST_PERMITS = 100
"""Catalogues of different permits that are kept."""


@dataclass(frozen=True)
class Catalogue:
    """All that can be run by its name in Airflow.

    :param airflow: the installed version
    :param endpoints: by the command's words
    :param renamed: names of former Airflows, and today's
    :param missing: groups and commands that this Airflow could have, and what they need
    :param text: the catalogue for clients, JSON
    :param etag: of that text
    :param runnable: the commands of it that are not refused
    """

    airflow: str
    endpoints: Mapping[str, Endpoint]
    renamed: Mapping[str, str]
    missing: Mapping[str, str]
    text: bytes
    etag: str
    runnable: tuple[str, ...]

    def find(self, name: str) -> Endpoint:
        """The endpoint of a command.

        :param name: its words after ``airflow``
        :raises NotInThisAirflow: when a former Airflow had it, or another one has it
        :raises NotFound: naming the nearest
        """
        endpoint = self.endpoints.get(name)
        if endpoint is not None:
            return endpoint
        needed = self.missing.get(name.partition(" ")[0])
        if name in self.renamed:
            raise NotInThisAirflow(f"Airflow {self.airflow} has no `{name}`; use {self.renamed[name]}")
        if needed:
            raise NotInThisAirflow(f"this Airflow has no `{name[:80]}`: it needs {needed}")
        raise NotFound(f"Airflow {self.airflow} has no command {name[:80]!r}{nearest(name, self.endpoints)}")


class Live:
    """The catalogue of the present configuration.

    :param source: of Airflow's commands
    :param policy: which of them may be run
    :param classic: names of the classic endpoints that become a command, by its words
    """

    def __init__(self, source: Source, policy: Policy, classic: Mapping[str, tuple[str, ...]]) -> None:
        self._source = source
        self._policy = policy
        self._classic = classic
        self._made: tuple[dict[str, Any], dict[Permit, Catalogue]] | None = None

    def __call__(self, permit: Permit = ALL) -> Catalogue:
        """The catalogue; the same for as long as the configuration is.

        :param permit: of who asks
        :raises Unavailable: when the commands cannot be read
        """
        description, made = self._source.read(), self._made
        if made is None or made[0] is not description:
            made = self._made = description, {ALL: catalogue(description, self._policy)}
        found = made[1].get(permit)
        if found is None:
            if len(made[1]) > MOST_PERMITS:
                made = self._made = description, {ALL: made[1][ALL]}
            found = made[1][permit] = allowed(made[1][ALL], lambda command: self.refusal(command, permit))
        return found

    def refusal(self, endpoint: Endpoint, permit: Permit) -> str:
        """Why a permit does not allow a command; "" when it does."""
        return permit.refusal(endpoint.forms[0], endpoint.name, self._classic.get(endpoint.name, ()))[1]


def allowed(whole: Catalogue, refusal: Callable[[Endpoint], str]) -> Catalogue:
    """A catalogue that tells only what may be run; and that there is more, where there is.

    :param whole: the catalogue of who may run everything
    :param refusal: tells why a command may not be run; "" when it may
    """
    said = json.loads(whole.text)
    commands = [
        command
        for command in said["commands"]
        if not command["refused"] and not refusal(whole.endpoints[command["name"]])
    ]
    names = [command["name"] for command in commands]
    groups = [
        group for group in said["groups"] if any(name.startswith(f"{group['name']} ") for name in names)
    ]
    withheld = len(commands) < len(said["commands"])
    return replace(whole, **written({**said, "groups": groups, "commands": commands, "withheld": withheld}))


def written(said: dict[str, Any]) -> dict[str, Any]:
    """The text of a catalogue, its etag, and the names of the commands in it that can be run."""
    text = json.dumps(said, ensure_ascii=False).encode("utf-8", "backslashreplace")
    runnable = tuple(command["name"] for command in said["commands"] if not command["refused"])
    return {"text": text, "etag": hashlib.sha256(text).hexdigest()[:32], "runnable": runnable}


def catalogue(description: Mapping[str, Any], policy: Policy) -> Catalogue:
    """Make a catalogue.

    :param description: from ``integrations.cli``
    :param policy: which commands may be run
    """
    endpoints = {command["name"]: endpoint(command, policy) for command in description["commands"]}
    groups = [group for group in description["groups"] if group["name"] not in endpoints]
    known = {*endpoints, *(group["name"] for group in groups)}
    former, absent = renamed(description, known), missing(known)
    said = document(description["airflow"], groups, endpoints.values(), former, absent)
    return Catalogue(description["airflow"], endpoints, former, absent, **written(said))


def endpoint(command: Mapping[str, Any], policy: Policy) -> Endpoint:
    """One command as an endpoint of a single form.

    :param command: as ``integrations.cli`` describes it
    :param policy: says whether it may be run
    """
    name = command["name"]
    arguments = tuple(argument(name, found) for found in command["arguments"])
    names = {found.name for found in arguments}
    found = traits.traits(name)
    form = Form(
        tuple(name.split(" ")),
        arguments,
        read_only=found.read_only,
        service=traits.IN_BACKGROUND in names,
        confirm=traits.confirm(name, names),
        asks=traits.asks(name),
        exclusive=tuple(
            group for group in traits.EXCLUSIVE.get(name, ()) if len(names.intersection(group)) > 1
        ),
    )
    description = command["description"]
    return Endpoint(
        name,
        command["help"],
        (form,),
        description="" if description == command["help"] else description,
        epilog=command["epilog"],
        hidden=command["hidden"],
        refused=policy.reason(name),
        long_running=found.long_running,
        parses_dags=found.parses_dags,
        prints_secrets=found.prints_secrets,
    )


def argument(command: str, found: Mapping[str, Any]) -> Argument:
    """One argument of a command.

    :param command: the command's words
    :param found: as ``integrations.cli`` describes it
    """
    flags = tuple(found["flags"])
    long = next((flag for flag in flags if flag.startswith("--")), "")
    name = (long.lstrip("-") or flags[0].lstrip("-")).replace("-", "_")
    two_forms = found["action"] == "BooleanOptionalAction"
    is_flag = two_forms or found["action"].startswith("store_")
    kind = traits.kind(command, name, is_flag, found["type"])
    option = flags[0].startswith("-")
    return Argument(
        name,
        long or (flags[0] if option else ""),
        kind,
        required=found["required"] or (not option and found["nargs"] not in ("?", "*")),
        help=found["help"],
        choices=tuple(found["choices"]),
        aliases=tuple(flag[2:].replace("-", "_") for flag in flags if flag.startswith("--") and flag != long),
        repeatable=found["action"] == "append",
        allow_empty=True,
        two_tokens=name in traits.TWO_WORDS,
        secret=kind is not Kind.FLAG and traits.secret(command, name),
        refused=ARGUMENTS.get(name, "") if option else "",
        ignored=name == traits.IN_BACKGROUND,
        flags=flags if option else (),
        off=f"--no-{long[2:]}" if two_forms else "",
        nargs=found["nargs"],
        metavar=found["metavar"],
        shown_default="" if kind in (Kind.DAGS_PATH, Kind.FOLDER) else found["default"],
    )
