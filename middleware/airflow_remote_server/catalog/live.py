"""Build the catalog: every command of the installed Airflow as an endpoint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog import traits
from airflow_remote_server.catalog.aliases import current_names, requirements
from airflow_remote_server.catalog.argument_traits import DAEMON, SEPARATE_VALUES, is_secret, kind_of
from airflow_remote_server.catalog.document import build_document
from airflow_remote_server.catalog.policy import ARGUMENTS
from airflow_remote_server.catalog.spec import SERVICE_ARGUMENTS, Argument, Endpoint, Kind, Variant
from airflow_remote_server.errors import NotFound, NotInThisAirflow
from airflow_remote_server.util.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from airflow_remote_server.catalog.policy import Policy
    from airflow_remote_server.catalog.source import CommandSource


@dataclass(frozen=True)
class Catalog:
    """The commands that can be run by their names in Airflow.

    :param airflow: the installed version
    :param endpoints: the endpoints by the command's words
    :param renamed: the current names of commands from other releases
    :param missing: groups and commands that this Airflow lacks, and what they require
    :param text: the catalog for clients, as JSON
    :param etag: the ETag of that text
    :param runnable: the names of the commands that the policy does not refuse
    """

    airflow: str
    endpoints: Mapping[str, Endpoint]
    renamed: Mapping[str, str]
    missing: Mapping[str, str]
    text: bytes
    etag: str
    runnable: tuple[str, ...]

    def find(self, name: str) -> Endpoint:
        """Return the endpoint of a command.

        :param name: its words after ``airflow``
        :raises NotInThisAirflow: if another release has it, or it requires a provider
        :raises NotFound: if there is no such command; the message names a similar one
        """
        endpoint = self.endpoints.get(name)
        if endpoint is not None:
            return endpoint
        requirement = self.missing.get(name.partition(" ")[0])
        if name in self.renamed:
            raise NotInThisAirflow(f"Airflow {self.airflow} has no `{name}`; use {self.renamed[name]}")
        if requirement:
            raise NotInThisAirflow(f"this Airflow has no `{name[:80]}`: it needs {requirement}")
        hint = did_you_mean(name, self.endpoints)
        raise NotFound(f"Airflow {self.airflow} has no command {name[:80]!r}{hint}")


class CatalogLoader:
    """Loads the catalog of the current configuration.

    :param source: describes Airflow's commands
    :param policy: decides which of them may be run
    :param without: groups that do not work here
    :param check: called with each catalog that is built
    """

    def __init__(
        self,
        source: CommandSource,
        policy: Policy,
        without: Collection[str] = (),
        check: Callable[[Catalog], object] = lambda _: None,
    ) -> None:
        self._source = source
        self._policy = policy
        self._without = without
        self._check = check
        self._loaded: tuple[dict[str, Any], Catalog] | None = None

    def load(self) -> Catalog:
        """Return the catalog; the same object until the configuration changes.

        :raises Unavailable: if the commands cannot be read
        """
        description, loaded = self._source.read(), self._loaded
        if loaded is None or loaded[0] is not description:
            loaded = self._loaded = description, build_catalog(description, self._policy, self._without)
            self._check(loaded[1])
        return loaded[1]


def serialize(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a ``Catalog`` that follow from its document: text, ETag and runnable commands.

    :param document: the catalog for clients
    """
    text = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")
    runnable = tuple(command["name"] for command in document["commands"] if not command["refused"])
    return {"text": text, "etag": hashlib.sha256(text).hexdigest()[:32], "runnable": runnable}


def build_catalog(description: Mapping[str, Any], policy: Policy, without: Collection[str] = ()) -> Catalog:
    """Build the catalog.

    :param description: the commands, from ``integrations.command_tables``
    :param policy: decides which of them may be run
    :param without: groups to omit
    """
    endpoints = {
        command["name"]: _build_endpoint(command, policy)
        for command in description["commands"]
        if command["name"].partition(" ")[0] not in without
    }
    groups = [group for group in description["groups"] if group["name"] not in {*endpoints, *without}]
    names = {*endpoints, *(group["name"] for group in groups)}
    renamed, missing = current_names(description, names), requirements(names)
    document = build_document(description["airflow"], groups, endpoints.values(), renamed, missing)
    return Catalog(description["airflow"], endpoints, renamed, missing, **serialize(document))


def _build_endpoint(command: Mapping[str, Any], policy: Policy) -> Endpoint:
    """Return a command as an endpoint with a single variant.

    :param command: its description
    :param policy: decides whether it may be run
    """
    name = command["name"]
    arguments = tuple(_build_argument(name, argument) for argument in command["arguments"])
    names = {argument.name for argument in arguments}
    if DAEMON in names:
        arguments += tuple(argument for argument in SERVICE_ARGUMENTS if argument.name not in names)
    command_traits = traits.traits_of(name)
    variant = Variant(
        tuple(name.split(" ")),
        arguments,
        read_only=command_traits.read_only,
        service=DAEMON in names,
        confirm=traits.confirmation_of(name, names),
        prompts=traits.prompts_of(name),
        exclusive=traits.exclusive_arguments_of(name, names),
    )
    description = command["description"]
    return Endpoint(
        name,
        command["help"],
        (variant,),
        description="" if description == command["help"] else description,
        epilog=command["epilog"],
        hidden=command["hidden"],
        refused=policy.refusal_reason(name),
        long_running=command_traits.long_running,
        parses_dags=command_traits.parses_dags,
        prints_secrets=command_traits.prints_secrets,
    )


def _build_argument(command: str, description: Mapping[str, Any]) -> Argument:
    """Return an argument of a command.

    :param command: the command's words
    :param description: its description
    """
    flags = tuple(description["flags"])
    long = next((flag for flag in flags if flag.startswith("--")), "")
    name = (long.lstrip("-") or flags[0].lstrip("-")).replace("-", "_")
    has_off = description["action"] == "BooleanOptionalAction"
    is_flag = has_off or description["action"].startswith("store_")
    kind = kind_of(command, name, is_flag, description["type"])
    is_option = flags[0].startswith("-")
    aliases = tuple(flag[2:].replace("-", "_") for flag in flags if flag.startswith("--") and flag != long)
    return Argument(
        name,
        long or (flags[0] if is_option else ""),
        kind,
        required=description["required"] or (not is_option and description["nargs"] not in ("?", "*")),
        help=description["help"],
        choices=tuple(description["choices"]),
        aliases=aliases,
        repeatable=description["action"] == "append",
        allow_empty=True,
        separate_value=name in SEPARATE_VALUES,
        secret=kind is not Kind.FLAG and is_secret(command, name),
        refused=ARGUMENTS.get(name, "") if is_option else "",
        ignored=name == DAEMON,
        flags=flags if is_option else (),
        off=f"--no-{long[2:]}" if has_off else "",
        nargs=description["nargs"],
        metavar=description["metavar"],
        shown_default="" if kind in (Kind.DAGS_PATH, Kind.FOLDER) else description["default"],
    )
