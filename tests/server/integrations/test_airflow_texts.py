"""The functions and texts of Airflow that decide about failures and warnings stand in its sources."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from airflow_remote_server.errors import ApiError
from airflow_remote_server.execution.failures import classify
from airflow_remote_server.execution.outcome import Outcome
from airflow_remote_server.integrations.known_failures import KNOWN, KnownFailure
from airflow_remote_server.integrations.reports import EXACT, REPORTS, Report, warning_of


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known.function} {known.text}")
def test_known_failure_is_one_of_airflow(known: KnownFailure, major: int) -> None:
    module, _, name = f"airflow.{known.function}".rpartition(".")
    if major not in known.majors:
        return
    source = inspect.getsource(import_module(module))
    assert f"def {name}(" in source, "Airflow has renamed it"
    if hasattr(import_module(module), name):  # else it is a method
        source = inspect.getsource(getattr(import_module(module), name))
    assert known.text in source, "Airflow has another text"


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: f"{report.command} {report.text}")
def test_report_is_one_of_airflow(report: Report, major: int) -> None:
    if major in report.majors:
        source = inspect.getsource(import_module(f"airflow.{report.source}"))
        assert report.text in source, "Airflow has another text"


def test_exact_lines_are_those_of_airflow(major: int) -> None:
    from airflow.cli.commands import dag_command

    assert "print(None)" in inspect.getsource(dag_command.dag_state) or major == 2
    if major == 2:
        from airflow.providers.fab.auth_manager.cli_commands import role_command

        assert "{'Added' if is_add else 'Deleted'} {permission_count} permission(s)" in inspect.getsource(
            role_command
        )
    assert EXACT.keys() == {"dags state", "roles add-perms", "roles del-perms"}


def error_of(function: str, message: str, *bases: str) -> ApiError:
    names = (bases or ("SystemExit", "BaseException"),)
    return classify(Outcome(1, names, f"airflow.{function}", False, message), "", "")


@pytest.mark.parametrize(
    ("function", "message", "kind"),
    [
        ("cli.commands.dag_command.dag_list_dag_runs", "DAG: x does not exist in 'dag' table", "NotFound"),
        ("cli.commands.asset_command._detail_asset", "Asset with name x does not exist.", "NotFound"),
        ("cli.commands.asset_command._detail_asset", "Either --name or --uri is required", "BadArguments"),
        (
            "cli.commands.variable_command.variables_import",
            "Failed. These keys: ['a'] already exists.",
            "Conflict",
        ),
        (
            "cli.commands.connection_command.connections_add",
            "A connection with `conn_id`=c already exists.",
            "Conflict",
        ),
        ("cli.commands.dag_command.dag_test", "DagRun failed", "CommandFailed"),
    ],
)
def test_function_and_text_determine_the_error(function: str, message: str, kind: str) -> None:
    assert error_of(function, message).kind == kind


@pytest.mark.parametrize(
    ("title", "stdout", "stderr", "warning"),
    [
        (
            "airflow connections import -- f.json",
            "Could not import connection a: connection already exists.\nImported connection b\n"
            "Could not import connection c: connection already exists.\n",
            "",
            "Could not import connection a: connection already exists. (and 1 more)",
        ),
        (
            "airflow connections test -- c",
            "Testing...\n\nConnection failed!\nno route\n\n",
            "",
            "Connection failed! no route",
        ),
        (
            "airflow dags pause --output=json -- x",
            "No unpaused DAGs were found\n",
            "",
            "No unpaused DAGs were found",
        ),
        ("airflow dags state -- x 2024-01-01", "None\n", "", "the DAG has no such run"),
        ("airflow dags state -- x 2024-01-01", "failed, None\n", "", ""),
        ("airflow roles add-perms -- x", "Added 10 permission(s)\n", "", ""),
        ("airflow dags list-runs", "", "Failed to load all files.", ""),
        (
            "airflow dags reserialize",
            "",
            "x Failed to import: a\nx Failed to import: b\n",
            "2 DAG file(s) cannot be imported",
        ),
        ("airflow version", "Could not import connection a", "", ""),
    ],
)
def test_output_determines_the_warning(title: str, stdout: str, stderr: str, warning: str) -> None:
    assert warning_of(title, stdout, stderr) == warning
