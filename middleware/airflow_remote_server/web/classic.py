"""The classic endpoints, as the page needs them for its forms: what is false or empty is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalogue.spec import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.catalogue.spec import Argument, Endpoint, Form

SECTIONS = (
    ("DAGs", ("list_dags", "trigger_dag", "dag_state", "pause", "unpause", "backfill")),
    ("Tasks", ("list_tasks", "task_state", "task_failed_deps", "render", "test", "run", "clear")),
    ("DAG files", ("deploy_dag", "undeploy_dag", "rollback_dag", "refresh_dag", "refresh_all_dags")),
    ("Stores", ("variables", "connections", "pool")),
    ("Services", ("scheduler", "worker", "flower", "kerberos", "serve_logs")),
)
"""The order of the list; others come last."""

OTHERS = "The server itself"

OPTIONS = (Kind.FLAG, Kind.LOG_PATH, Kind.DAGS_PATH)
"""What the client has as an option, also when it is no option of Airflow's."""


def sections(endpoints: Iterable[Endpoint]) -> list[tuple[str, list[Endpoint]]]:
    """The endpoints by what they are about.

    :param endpoints: all of them
    """
    rest = {endpoint.name: endpoint for endpoint in endpoints}
    found = [(title, [rest.pop(name) for name in names if name in rest]) for title, names in SECTIONS]
    return [(title, listed) for title, listed in (*found, (OTHERS, list(rest.values()))) if listed]


def described(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint: ``name``, ``help``, ``absent`` and ``forms``."""
    several = any(form.name for form in endpoint.forms)
    return _said(
        name=endpoint.name,
        help=endpoint.summary,
        absent=endpoint.absent,
        forms=[_form(form, several) for form in endpoint.forms],
    )


def _form(form: Form, several: bool) -> dict[str, Any]:
    return _said(
        name=form.name,
        takes=[argument.name for argument in form.arguments if not argument.flag] if form.takes else [],
        command=" ".join((form.program, *form.command)) if form.command else "",
        read_only=form.read_only,
        service=form.service,
        arguments=[_argument(argument, several) for argument in form.arguments if not argument.ignored],
    )


def _argument(argument: Argument, several: bool) -> dict[str, Any]:
    return _said(
        name=argument.name,
        kind="" if argument.kind is Kind.TEXT else argument.kind.value,
        help="" if argument.refused else argument.help,
        required=argument.required,
        choices=list(argument.choices),
        repeatable=argument.repeatable,
        secret=argument.secret,
        refused=argument.refused,
        positional=not several and not argument.flag and argument.kind not in OPTIONS,
    )


def _said(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
