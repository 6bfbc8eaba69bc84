"""Arguments of the classic endpoints that differ between releases of Airflow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import Argument, Kind

if TYPE_CHECKING:
    from airflow_remote_server.integrations.release import Release


def refused(name: str, reason: str, kind: Kind = Kind.TEXT, short: str = "") -> Argument:
    """Return an argument that is never accepted: this Airflow removed it, or it is unsafe over HTTP.

    :param name: its name
    :param reason: why it is not accepted
    :param kind: the kind of its value
    :param short: the client's short option
    """
    return Argument(name, kind=kind, refused=reason, help=f"Not accepted: {reason}", short=short)


def unused(name: str, help: str, short: str = "") -> Argument:
    """Return a flag that has no effect and is accepted from old clients.

    :param name: its name
    :param help: why it has no effect
    :param short: the client's short option
    """
    return Argument(name, kind=Kind.FLAG, ignored=True, help=help, short=short)


class VersionArguments:
    """Makes the arguments for one release of Airflow.

    :param release: the release
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self.two = release < (3, 0)

    def since(self, release: Release, argument: Argument) -> Argument:
        """Return an argument that a release added; for earlier releases, a request with it gets 501.

        :param release: the first release that has it
        :param argument: the argument
        """
        if self.release >= release:
            return argument
        here, there = (".".join(map(str, number)) for number in (self.release, release))
        name = f"`{argument.flag}`" if argument.flag else f"the argument {argument.name}"
        return replace(argument, absent=f"Airflow {here} has no {name}; Airflow has it since {there}")

    def only_two(self, name: str, flag: str, kind: Kind = Kind.TEXT, hint: str = "", **more: str) -> Argument:
        """Return an option that Airflow 3 removed.

        :param name: its name
        :param flag: the option of Airflow 2
        :param kind: the kind of its value
        :param hint: what to use instead in Airflow 3
        :param more: further fields of the argument
        """
        if self.two:
            return Argument(name, flag, kind, **more)  # type: ignore[arg-type]  # only texts are passed
        reason = f"Airflow 3 has no {flag}" + (f": {hint}" if hint else "")
        return refused(name, reason, Kind.FLAG if kind is Kind.FLAG else Kind.TEXT)

    def dag_location(self) -> tuple[Argument, ...]:
        """Return the arguments for the location of a DAG file: a path in Airflow 2, a bundle in Airflow 3."""
        if self.two:
            return (self.subdir(),)
        bundle = Argument("bundle_name", "--bundle-name", repeatable=True, help="DAG bundle to read")
        return (self.subdir(), bundle)

    def subdir(self) -> Argument:
        """Return the argument for the path of a DAG file."""
        help = "File or directory to read DAGs from, inside the DAGs folder"
        return self.only_two("subdir", "--subdir", Kind.DAGS_PATH, "use bundle_name", short="-sd", help=help)

    def run(self, required: bool = True) -> Argument:
        """Return the argument for a DAG run.

        :param required: whether a request must give it
        """
        help = "Execution date or run id" if self.two else "Logical date or run id"
        return Argument("execution_date", required=required, aliases=("run_id", "logical_date"), help=help)
