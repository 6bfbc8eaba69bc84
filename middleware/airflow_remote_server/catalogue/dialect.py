"""What differs between Airflow 2 and Airflow 3 in arguments that many endpoints have."""

from __future__ import annotations

from airflow_remote_server.catalogue.spec import Argument, Kind


def gone(name: str, reason: str, flag: bool = False, short: str = "") -> Argument:
    """An argument that this Airflow does not have any more, or that is not accepted over HTTP."""
    kind = Kind.FLAG if flag else Kind.TEXT
    return Argument(name, kind=kind, refused=reason, help=f"Not accepted: {reason}", short=short)


def unused(name: str, help: str, short: str = "") -> Argument:
    """A flag that has become meaningless, and is accepted from old clients."""
    return Argument(name, kind=Kind.FLAG, ignored=True, help=help, short=short)


class Dialect:
    """The shared arguments, for one major version of Airflow.

    :param major: 2 or 3
    """

    def __init__(self, major: int) -> None:
        self.two = major < 3

    def only_two(self, name: str, flag: str, kind: Kind = Kind.TEXT, hint: str = "", **more: str) -> Argument:
        """An option that Airflow 3 removed; ``hint`` says what to use there."""
        if self.two:
            return Argument(name, flag, kind, **more)  # type: ignore[arg-type]  # only texts are passed
        reason = f"Airflow 3 has no {flag}" + (f": {hint}" if hint else "")
        return gone(name, reason, flag=kind is Kind.FLAG)

    def where(self) -> tuple[Argument, ...]:
        """Where the DAG's file is: a path on Airflow 2, a bundle on Airflow 3."""
        help = "File or folder to read DAGs from, inside the DAGs folder"
        subdir = self.only_two(
            "subdir", "--subdir", Kind.DAGS_PATH, "use bundle_name", short="-sd", help=help
        )
        if self.two:
            return (subdir,)
        return (subdir, Argument("bundle_name", "--bundle-name", repeatable=True, help="DAG bundle to read"))

    def just_subdir(self) -> Argument:
        """The subdir of commands that have no bundle on Airflow 3."""
        return self.where()[0]

    def when(self, required: bool = True) -> Argument:
        """The run that is meant."""
        help = "Execution date or run id" if self.two else "Logical date or run id"
        return Argument("execution_date", required=required, aliases=("run_id", "logical_date"), help=help)
