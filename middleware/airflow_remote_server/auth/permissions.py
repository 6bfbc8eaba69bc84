"""Decide what a role may run, and how a token restricts that. It uses only names and variants of commands.

``viewer`` runs commands that change nothing and print no secrets; ``operator`` also runs DAGs and their
tasks; ``admin`` runs everything that the policy allows. The tokens file can define more roles (see
``tokens``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import Kind
from airflow_remote_server.catalog.traits import traits_of
from airflow_remote_server.errors import Refused
from airflow_remote_server.util.globs import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_remote_server.catalog.spec import Variant

OPERATES = (
    "assets materialize",
    "backfill *",
    "dags backfill",
    "dags clear",
    "dags pause",
    "dags reserialize",
    "dags test",
    "dags trigger",
    "dags unpause",
    "partitions clear",
    "refresh-dag",
    "tasks clear",
    "tasks run",
    "tasks test",
)
"""Commands of an operator in addition to those of a viewer: they run existing DAGs, and never deploy code."""

USES_SECRETS = frozenset({"connections test"})
"""Commands that change nothing here, but use secrets to contact other machines."""

MANAGES_CODE = frozenset({"deploy-dag", "rollback-dag", "undeploy-dag"})
"""Actions of this project that add or remove code."""

WITHOUT_DAG = frozenset({"version", "rest_api_plugin_version"})
"""Commands that a token for certain DAGs may run although they name no DAG."""

LAYERS = {"role": "role", "token": "token", "DAG": "token's DAGs"}
"""The layers besides the policy that can refuse a command, each with its name in messages."""

DAG_ID = "dag_id"
LOCATIONS = frozenset({"bundle_name"})
"""Arguments, other than paths, that determine the file that a DAG is read from."""


@dataclass(frozen=True)
class Role:
    """A set of commands that may be run.

    :param name: the name of the role
    :param reads: includes commands that change nothing and print no secrets
    :param commands: patterns of further commands; those with a sensitivity must be named in full
    :param deny: patterns of commands that are refused in any case
    :param everything: includes all commands, even those that print secrets
    """

    name: str
    reads: bool = False
    commands: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    everything: bool = False

    def refusal(self, variant: Variant, names: Iterable[str], also_denied: Iterable[str] = ()) -> str:
        """Return why the role may not run a command; "" if it may.

        :param variant: the command
        :param names: its words, and the name of the endpoint
        :param also_denied: further names that ``deny`` may use for it
        """
        names = tuple(names)
        if matches_any((*names, *also_denied), self.deny):
            return f"the role {self.name!r} denies `{names[0]}`"
        if self.everything or any(name in self.commands for name in names):
            return ""
        sensitive = sensitivity_of(variant, names[0])
        if sensitive:
            return f"`{names[0]}` {sensitive}, and the role {self.name!r} does not name it"
        if matches_any(names, self.commands) or (
            self.reads and variant.read_only and names[0] not in USES_SECRETS
        ):
            return ""
        return f"the role {self.name!r} does not allow `{names[0]}`"


VIEWER = Role("viewer", reads=True)
OPERATOR = Role("operator", reads=True, commands=OPERATES)
ADMIN = Role("admin", everything=True)
BUILT_IN = {role.name: role for role in (VIEWER, OPERATOR, ADMIN)}


@dataclass(frozen=True)
class Permissions:
    """The permissions of a token: its role, and restrictions of that.

    :param role: the role
    :param commands: patterns of commands; None for all commands of the role
    :param dags: patterns of DAG IDs; None for all
    """

    role: Role = ADMIN
    commands: tuple[str, ...] | None = None
    dags: tuple[str, ...] | None = None

    @property
    def unrestricted(self) -> bool:
        """Return whether everything is allowed, including the audit log and the jobs of others."""
        return self.role.everything and not self.role.deny and self.commands is None and self.dags is None

    def refusal(self, variant: Variant, endpoint: str, also_denied: Iterable[str] = ()) -> tuple[str, str]:
        """Return the layer that refuses a command and its reason; two empty texts if none does.

        :param variant: the command
        :param endpoint: the name of the endpoint
        :param also_denied: further names that ``deny`` may use for it
        """
        names = tuple(dict.fromkeys((" ".join(variant.command) or endpoint, endpoint)))
        reason = self.role.refusal(variant, names, also_denied)
        if reason:
            return "role", reason
        if self.commands is not None and not matches_any(names, self.commands):
            return "token", f"the token's commands do not include `{names[0]}`"
        if self.dags is not None and not WITHOUT_DAG.intersection(names) and not takes_one_dag(variant):
            return "DAG", f"the token is limited to certain DAGs, and `{names[0]}` cannot be confined to one"
        return "", ""

    def check(self, variant: Variant, endpoint: str, also_denied: Iterable[str] = ()) -> None:
        """Refuse a command that may not be run, before its values are checked.

        :param variant: the command
        :param endpoint: the name of the endpoint
        :param also_denied: further names that ``deny`` may use for it
        :raises Refused: if it may not be run; the message names the layer that refuses it
        """
        layer, reason = self.refusal(variant, endpoint, also_denied)
        if reason:
            raise refused_by(layer, reason)

    def check_dags(self, variant: Variant, values: Mapping[str, object]) -> None:
        """Refuse values that name DAGs for which the token may not be used.

        :param variant: the command
        :param values: the validated values by argument name
        :raises Refused: if they name another DAG, or may match others
        """
        if self.dags is None or not takes_one_dag(variant):
            return
        for argument in variant.arguments:
            value = values.get(argument.name)
            if value in (None, False):
                continue
            is_regex = argument.kind is Kind.FLAG and "regex" in argument.name
            if is_regex or argument.kind is Kind.DAGS_PATH or argument.name in LOCATIONS:
                raise refused_by("DAG", f"with {argument.name} the command cannot be confined to one")
        value = values.get(DAG_ID)
        dag_ids = [str(dag_id) for dag_id in (value if isinstance(value, list) else [value or ""])]
        other = next((dag_id for dag_id in dag_ids or [""] if not self.reaches(dag_id)), None)
        if other is not None:
            raise refused_by("DAG", f"{other[:80]!r} is not among them" if other else f"give {DAG_ID}")

    def reaches(self, dag_id: str) -> bool:
        """Return whether the token may be used for a DAG.

        :param dag_id: the ID of the DAG
        """
        return self.dags is None or (dag_id != "" and matches_any((dag_id,), self.dags))


UNRESTRICTED = Permissions()
"""The permissions of the token in airflow.cfg."""


def sensitivity_of(variant: Variant, name: str) -> str:
    """Return why no pattern allows a command, so that a role has to name it; "" if a pattern may.

    :param variant: the command
    :param name: its words, or the name of the endpoint if it has none
    """
    if name in MANAGES_CODE:
        return "changes DAG files"
    if variant.service:
        return "starts a service"
    return "can print secrets" if traits_of(name).prints_secrets else ""


def refused_by(layer: str, reason: str) -> Refused:
    """Return the error for a command that a layer refuses.

    :param layer: ``role``, ``token`` or ``DAG``
    :param reason: why the layer refuses it
    """
    return Refused(f"Refused by the {LAYERS[layer]}: {reason}", layer=layer)


def takes_one_dag(variant: Variant) -> bool:
    """Return whether a command is about a single DAG, so that a token for certain DAGs can run it.

    :param variant: the command; of this project's actions, only ``refresh-dag`` is about a single DAG
    """
    confinable = variant.program == "airflow" or variant.command == ("refresh-dag",)
    return confinable and any(
        argument.name == DAG_ID and not argument.unusable for argument in variant.arguments
    )
