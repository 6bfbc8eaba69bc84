"""What a role may run, and what a token leaves of that. Knows commands by their names and forms only.

``viewer`` runs what changes nothing and shows no secret; ``operator`` runs DAGs and their tasks besides;
``admin`` runs all that the policy allows. Others are made in the tokens file (``tokens``).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from airflow_remote_server.catalogue.spec import Kind
from airflow_remote_server.catalogue.traits import traits
from airflow_remote_server.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_remote_server.catalogue.spec import Form

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
"""What an operator runs besides what changes nothing: code of DAGs that are there, never code that comes."""

ACTS = frozenset({"connections test"})
"""Commands that change nothing here, but use what is secret on another machine."""

ABOUT_NO_DAG = frozenset({"version", "rest_api_plugin_version"})
"""Commands that a token with DAGs may run although they name none."""

LAYERS = {"role": "role", "token": "token", "DAG": "token's DAGs"}
"""What can refuse a command that the policy does not, and how it is called."""

DAG_ID = "dag_id"
OTHER_FILES = frozenset({"bundle_name"})
"""Arguments, besides those that are paths, which say what file a DAG is read from."""


@dataclass(frozen=True)
class Role:
    """What may be run.

    :param name: of the role
    :param reads: what changes nothing and shows no secret
    :param commands: globs over names of further commands; what shows secrets has to be named without a glob
    :param deny: globs over names of what is refused in any case
    :param everything: all commands, secrets included
    """

    name: str
    reads: bool = False
    commands: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    everything: bool = False

    def refusal(self, form: Form, names: Iterable[str], also_denied: Iterable[str] = ()) -> str:
        """Why a command may not be run; "" when it may.

        :param form: the command
        :param names: its words, and the endpoint's name
        :param also_denied: further names by which it can be denied
        """
        names = tuple(names)
        if matches(self.deny, (*names, *also_denied)):
            return f"the role {self.name!r} denies `{names[0]}`"
        if self.everything or any(name in self.commands for name in names):
            return ""
        if traits(names[0]).prints_secrets:
            return f"`{names[0]}` can show secrets, and the role {self.name!r} does not name it"
        if matches(self.commands, names) or (self.reads and form.read_only and names[0] not in ACTS):
            return ""
        return f"the role {self.name!r} does not allow `{names[0]}`"


VIEWER = Role("viewer", reads=True)
OPERATOR = Role("operator", reads=True, commands=OPERATES)
ADMIN = Role("admin", everything=True)
BUILT_IN = {role.name: role for role in (VIEWER, OPERATOR, ADMIN)}


@dataclass(frozen=True)
class Permit:
    """What a token may do: its role, and what narrows that.

    :param role: the role
    :param commands: globs over names of commands; None for all of the role's
    :param dags: globs over ids of DAGs; None for all
    """

    role: Role = ADMIN
    commands: tuple[str, ...] | None = None
    dags: tuple[str, ...] | None = None

    @property
    def unrestricted(self) -> bool:
        """Whether it may do everything: only then others' jobs and the audit are shown."""
        return self.role.everything and not self.role.deny and self.commands is None and self.dags is None

    def refusal(self, form: Form, endpoint: str, also_denied: Iterable[str] = ()) -> tuple[str, str]:
        """Which layer refuses a command, and why; two empty texts when none does.

        :param form: the command
        :param endpoint: the endpoint's name
        :param also_denied: further names by which it can be denied
        """
        names = tuple(dict.fromkeys((" ".join(form.command) or endpoint, endpoint)))
        reason = self.role.refusal(form, names, also_denied)
        if reason:
            return "role", reason
        if self.commands is not None and not matches(self.commands, names):
            return "token", f"the token's commands do not include `{names[0]}`"
        if self.dags is not None and not ABOUT_NO_DAG.intersection(names) and not names_dag(form):
            return "DAG", f"the token is for some DAGs only, and `{names[0]}` cannot be confined to one"
        return "", ""

    def check(self, form: Form, endpoint: str, also_denied: Iterable[str] = ()) -> None:
        """See that a command may be run, before its values are looked at.

        :raises Refused: naming the layer that refuses it
        """
        layer, reason = self.refusal(form, endpoint, also_denied)
        if reason:
            raise refused(layer, reason)

    def check_dags(self, form: Form, values: Mapping[str, object]) -> None:
        """See that the values of a command name only DAGs that the token is for.

        :param form: the command
        :param values: by name of argument, validated
        :raises Refused: when they name another one, or may reach others
        """
        if self.dags is None or not names_dag(form):
            return
        for argument in form.arguments:
            value = values.get(argument.name)
            if value in (None, False):
                continue
            wider = argument.kind is Kind.FLAG and "regex" in argument.name
            if wider or argument.kind is Kind.DAGS_PATH or argument.name in OTHER_FILES:
                raise refused("DAG", f"with {argument.name} the command cannot be confined to one")
        given = values.get(DAG_ID)
        wanted = [str(found) for found in (given if isinstance(given, list) else [given or ""])]
        beyond = next((dag for dag in wanted or [""] if not self.reaches(dag)), None)
        if beyond is not None:
            raise refused("DAG", f"{beyond[:80]!r} is not among them" if beyond else f"give {DAG_ID}")

    def reaches(self, dag_id: str) -> bool:
        """Whether a DAG is one of the token's."""
        return self.dags is None or (dag_id != "" and matches(self.dags, (dag_id,)))


ALL = Permit()
"""What the token of airflow.cfg may do."""


def refused(layer: str, reason: str) -> Refused:
    """The refusal by a layer, which it names.

    :param layer: ``role``, ``token`` or ``DAG``
    :param reason: what it says
    """
    return Refused(f"Refused by the {LAYERS[layer]}: {reason}", layer=layer)


def names_dag(form: Form) -> bool:
    """Whether a command is about one DAG. What our own program does is, when it takes no more than that."""
    ours = form.program == "airflow" or form.command == ("refresh-dag",)
    return ours and any(argument.name == DAG_ID and not argument.refused for argument in form.arguments)


def matches(globs: Iterable[str], names: Iterable[str]) -> bool:
    """Whether a glob matches a name; case matters.

    :param globs: as ``dags *``
    :param names: any of them
    """
    names = tuple(names)
    return any(fnmatchcase(name, glob) for glob in globs for name in names)
