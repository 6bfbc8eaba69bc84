"""Failures of Airflow's commands that the class of the exception alone does not tell.

Many commands end with ``SystemExit`` for any reason, or with ``AirflowException``. Each entry names the
function that raised it and, where the function has several reasons, a part of its text. A test finds every
function and text in the sources of Airflow 2.11 and 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_remote_server.errors import BadArguments, CommandFailed, Conflict, NotFound

if TYPE_CHECKING:
    from airflow_remote_server.errors import ApiError


class KnownFailure(NamedTuple):
    """A failure of a command.

    :param function: ``module.function`` that raises the exception, below ``airflow``
    :param text: a part of the message; "" for any message
    :param answer: the HTTP error
    :param exception: the name of the class of the exception, or of a base
    :param majors: the major versions of Airflow in whose sources the tests find it
    :param message: the message to show instead; "" for that of the command
    """

    function: str
    text: str
    answer: type[ApiError]
    exception: str = "SystemExit"
    majors: tuple[int, ...] = (2, 3)
    message: str = ""


ASSETS = "cli.commands.asset_command"
CONNECTIONS = "cli.commands.connection_command"
DAGS = "cli.commands.dag_command"
DATABASE = "cli.commands.db_command"
JOBS = "cli.commands.jobs_command"
POOLS = "cli.commands.pool_command"
ROLES = "providers.fab.auth_manager.cli_commands.role_command"
SECRETS_FILE = "secrets.local_filesystem"
TEAMS = "cli.commands.team_command"
USERS = "providers.fab.auth_manager.cli_commands.user_command"
VARIABLES = "cli.commands.variable_command"

NO_DAG = "does not exist in 'dag' table"
NO_OBJECT = "the file must hold a JSON object"
IMPORT_ERRORS = "some DAG files cannot be imported: the output lists them"

KNOWN = (
    KnownFailure("utils.cli.get_dag", "", NotFound, "AirflowException", (2,)),
    KnownFailure("utils.cli.get_dags", "", NotFound, "AirflowException"),
    KnownFailure("utils.cli.get_dag_by_file_location", "", NotFound, "AirflowException", (2,)),
    KnownFailure("utils.cli.get_bagged_dag", "", NotFound, "AirflowException", (3,)),
    KnownFailure("utils.cli.get_db_dag", "", NotFound, "AirflowException", (3,)),
    KnownFailure("utils.cli.validate_dag_bundle_arg", "Bundles not found", NotFound, majors=(3,)),
    KnownFailure("models.dag.create_dagrun", "run ID", BadArguments, "AirflowException", (2,)),
    KnownFailure(f"{DAGS}.dag_state", NO_DAG, NotFound),
    KnownFailure(f"{DAGS}.dag_details", NO_DAG, NotFound),
    KnownFailure(f"{DAGS}.dag_list_jobs", NO_DAG, NotFound),
    KnownFailure(f"{DAGS}.dag_list_dag_runs", NO_DAG, NotFound),
    KnownFailure(f"{DAGS}.dag_next_execution", "does not exist in the database", NotFound, majors=(3,)),
    KnownFailure(f"{DAGS}.dag_next_execution", "Cannot use --table and --field", BadArguments, majors=(3,)),
    KnownFailure(f"{DAGS}.dag_show", "Can not find dag", NotFound, majors=(3,)),
    KnownFailure(f"{DAGS}.dag_show", "mutually exclusive", BadArguments),
    KnownFailure(f"{DAGS}.dag_dependencies_show", "mutually exclusive", BadArguments),
    KnownFailure(f"{DAGS}.dag_test", "is not valid JSON", BadArguments),
    KnownFailure(f"{DAGS}.dag_clear", "", BadArguments, majors=(3,)),
    KnownFailure(f"{DAGS}.dag_list_import_errors", "", CommandFailed, message=IMPORT_ERRORS),
    KnownFailure("cli.commands.task_command.task_state", "Can not find dag", NotFound, majors=(3,)),
    KnownFailure(f"{ASSETS}._detail_asset_alias", "does not exist", NotFound, majors=(3,)),
    KnownFailure(f"{ASSETS}._detail_asset_alias", "", BadArguments, majors=(3,)),
    KnownFailure(f"{ASSETS}._detail_asset", "does not exist", NotFound, majors=(3,)),
    KnownFailure(f"{ASSETS}._detail_asset", "More than one", Conflict, majors=(3,)),
    KnownFailure(f"{ASSETS}._detail_asset", "", BadArguments, majors=(3,)),
    KnownFailure(f"{ASSETS}.asset_materialize", "does not exist", NotFound, majors=(3,)),
    KnownFailure(f"{ASSETS}.asset_materialize", "More than one", Conflict, majors=(3,)),
    KnownFailure(f"{ASSETS}.asset_materialize", "", BadArguments, majors=(3,)),
    KnownFailure(f"{CONNECTIONS}.connections_add", "already exists", Conflict),
    KnownFailure(f"{CONNECTIONS}.connections_add", "", BadArguments),
    KnownFailure(f"{CONNECTIONS}.connections_import", "Missing connections file", BadArguments),
    KnownFailure(f"{CONNECTIONS}.connections_export", "", BadArguments),
    KnownFailure(f"{CONNECTIONS}.connections_list", "", BadArguments, majors=(3,)),
    KnownFailure(f"{CONNECTIONS}.connections_test", "Connection not found", NotFound),
    KnownFailure(f"{VARIABLES}.variables_get", "", NotFound, "KeyError"),
    KnownFailure(f"{VARIABLES}.variables_list", "", BadArguments, majors=(3,)),
    KnownFailure(f"{VARIABLES}.variables_import", "already exists", Conflict),
    KnownFailure(f"{VARIABLES}.variables_import", "", BadArguments),
    KnownFailure(f"{VARIABLES}.variables_import", "", BadArguments, "AttributeError", (2,), NO_OBJECT),
    KnownFailure(f"{SECRETS_FILE}._parse_secret_file", "", BadArguments, "AirflowException"),
    KnownFailure(f"{SECRETS_FILE}._create_connection", "", BadArguments, "AirflowException"),
    KnownFailure(f"{SECRETS_FILE}.load_connections_dict", "", BadArguments, "AirflowException"),
    KnownFailure(f"{POOLS}.pool_import", "Missing pools file", BadArguments),
    KnownFailure(f"{POOLS}.pool_import_helper", "Invalid json file", BadArguments),
    KnownFailure(f"{POOLS}.pool_import_helper", "", BadArguments, "AttributeError", message=NO_OBJECT),
    KnownFailure("cli.commands.provider_command.provider_get", "No such provider", NotFound),
    KnownFailure(f"{JOBS}.check", "--allow-multiple", BadArguments),
    KnownFailure(f"{JOBS}.check", "--hostname", BadArguments),
    KnownFailure(f"{DATABASE}.migratedb", "", BadArguments),
    KnownFailure(f"{DATABASE}.run_db_migrate_command", "", BadArguments, majors=(3,)),
    KnownFailure("cli.commands.partition_command.clear", "", BadArguments, majors=(3,)),
    KnownFailure(f"{TEAMS}._extract_team_name", "", BadArguments, majors=(3,)),
    KnownFailure(f"{TEAMS}.team_create", "already exists", Conflict, majors=(3,)),
    KnownFailure(f"{TEAMS}.team_delete", "does not exist", NotFound, majors=(3,)),
    KnownFailure(f"{ROLES}.roles_delete", "does not exist", NotFound, majors=(2,)),
    KnownFailure(f"{ROLES}.__roles_add_or_remove_permissions", "does not exist", NotFound, majors=(2,)),
    KnownFailure(f"{ROLES}.roles_import", "is not a valid JSON file", BadArguments, majors=(2,)),
    KnownFailure(f"{USERS}._find_user", "does not exist", NotFound, majors=(2,)),
    KnownFailure(f"{USERS}._find_user", "", BadArguments, majors=(2,)),
    KnownFailure(f"{USERS}.users_create", "is not a valid role", BadArguments, majors=(2,)),
    KnownFailure(f"{USERS}.users_manage_role", "is not a valid role", BadArguments, majors=(2,)),
    KnownFailure(f"{USERS}.users_manage_role", "already a member", Conflict, majors=(2,)),
    KnownFailure(f"{USERS}.users_manage_role", "is not a member", Conflict, majors=(2,)),
    KnownFailure(f"{USERS}.users_import", "is not valid JSON", BadArguments, majors=(2,)),
)
"""The failures; the first match counts."""


def find_failure(
    raised_in: str, exceptions: tuple[tuple[str, ...], ...], message: str
) -> KnownFailure | None:
    """Return the entry for the end of a command; None if it is not known.

    :param raised_in: ``module.function`` that raised the exception
    :param exceptions: names of the class, and its bases, of the exception and of each chained one
    :param message: the message for the user
    """
    for known in KNOWN:
        raised = raised_in == f"airflow.{known.function}" and known.text in message
        if raised and any(known.exception in names for names in exceptions):
            return known
    return None
