from __future__ import annotations

import json
import re
from typing import Any

import airflow_commands
import contract
import pytest

from airflow_remote_server.catalogue import traits
from airflow_remote_server.catalogue.live import Catalogue, catalogue
from airflow_remote_server.catalogue.policy import ARGUMENTS, Policy
from airflow_remote_server.catalogue.spec import Kind
from airflow_remote_server.errors import NotFound, NotInThisAirflow, Refused

NO_FILES = frozenset(
    {
        "columns",
        "export_format",
        "file_format",
        "format",
        "import_path",
        "pretty",
        "read_from_db",
        "use_migration_files",
    }
)
"""Arguments whose help speaks of files, and that name none."""


@pytest.fixture(scope="module")
def made() -> Catalogue:
    return catalogue(airflow_commands.description(), Policy())


def test_every_command_of_the_parser_is_there(made: Catalogue) -> None:
    assert set(made.endpoints) == set(airflow_commands.leaves())


def test_the_commands_of_providers_are_there(made: Catalogue) -> None:
    assert {"celery list-workers", "kubernetes cleanup-pods", "kubernetes generate-dag-yaml"} <= set(
        made.endpoints
    )


def test_every_argument_of_the_parser_is_there(made: Catalogue) -> None:
    for name, parser in airflow_commands.leaves().items():
        wanted = {
            tuple(action.option_strings) or (action.dest,)
            for action in parser._actions
            if action.dest != "help"
        }
        found = {
            (*argument.flags, *([argument.off] if argument.off else ())) or (argument.name,)
            for argument in made.endpoints[name].forms[0].arguments
        }
        assert found == wanted, name


def test_choices_are_in_the_order_of_airflow_s_own_help(made: Catalogue) -> None:
    for name, parser in airflow_commands.leaves().items():
        arguments = {
            argument.flags or (argument.name,): argument
            for argument in made.endpoints[name].forms[0].arguments
        }
        for action in parser._actions:
            if isinstance(action.choices, (list, tuple)):
                found = arguments[tuple(action.option_strings) or (action.dest,)]
                assert list(found.choices) == [str(choice) for choice in action.choices], (name, found.name)


def test_what_every_command_does_is_known(made: Catalogue) -> None:
    unknown = [name for name in made.endpoints if not traits.traits(name).covered]
    assert unknown == [], "say in catalogue/traits.py whether these commands of this Airflow change anything"


def test_every_argument_that_may_name_a_file_is_known(made: Catalogue) -> None:
    files = (Kind.UPLOAD, Kind.DOWNLOAD, Kind.FOLDER, Kind.DAGS_PATH)
    for endpoint in made.endpoints.values():
        for argument in endpoint.forms[0].arguments:
            said = f"{argument.name} {argument.metavar} {argument.help}".lower()
            if not re.search("path|file|director|folder", said) or argument.name in NO_FILES:
                continue
            assert argument.kind in files or argument.refused, (
                f"say in catalogue/traits.py or catalogue/policy.py what to do with {argument.name!r} of "
                f"`{endpoint.name}`, which seems to name a file: {argument.help}"
            )


def test_no_table_names_what_no_airflow_has(made: Catalogue) -> None:
    """Of this version at least the arguments of the commands that it has."""
    tables = (traits.UPLOADS, traits.DOWNLOADS, traits.FOLDERS, traits.SECRETS)
    for command, name in (entry for table in tables for entry in table):
        if command in made.endpoints:
            names = {argument.name for argument in made.endpoints[command].forms[0].arguments}
            assert name in names, command


def test_names_in_requests_are_one_argument_s_each(made: Catalogue) -> None:
    for endpoint in made.endpoints.values():
        names = [
            name for argument in endpoint.forms[0].arguments for name in (argument.name, *argument.aliases)
        ]
        assert len(names) == len(set(names)), endpoint.name


def test_what_reads_may_be_asked_for_by_get(made: Catalogue) -> None:
    reading = {name for name, endpoint in made.endpoints.items() if endpoint.read_only}
    assert {"dags list", "variables get", "providers hooks", "version", "connections test"} <= reading
    assert not reading & {
        "dags trigger",
        "dags test",
        "db clean",
        "db shell",
        "variables import",
        "celery worker",
        "tasks clear",
        "rotate-fernet-key",
    }


def test_what_runs_until_it_is_stopped_is_a_service(made: Catalogue) -> None:
    services = {name for name, endpoint in made.endpoints.items() if endpoint.forms[0].service}
    assert {
        "scheduler",
        "triggerer",
        "dag-processor",
        "kerberos",
        "celery worker",
        "celery flower",
    } <= services
    assert not services & {"dags backfill", "backfill create", "version", "celery stop"}


def test_secrets_are_known(made: Catalogue) -> None:
    arguments = {argument.name: argument for argument in made.endpoints["connections add"].forms[0].arguments}
    assert {name for name, argument in arguments.items() if argument.secret} == {
        "conn_extra",
        "conn_json",
        "conn_password",
        "conn_uri",
    }
    [value] = [
        argument
        for argument in made.endpoints["variables set"].forms[0].arguments
        if argument.name == "value"
    ]
    assert value.secret


@pytest.mark.parametrize(
    "command",
    ["db shell", "db reset", "db downgrade", "standalone", "config update"],
)
def test_what_does_harm_is_refused_by_default(made: Catalogue, command: str) -> None:
    assert made.endpoints[command].refused
    with pytest.raises(Refused, match="refused by the policy"):
        Policy().check(command)
    Policy(allowed=["db *", "config update", "standalone"]).check(command)


def test_the_configuration_refuses_more() -> None:
    policy = Policy(allowed=["*"], denied=["connections *"])
    with pytest.raises(Refused, match="deny_commands"):
        policy.check("connections list")
    with pytest.raises(Refused, match="deny_commands"):
        Policy(denied=["trigger_dag"]).check("dags trigger", "trigger_dag")
    policy.check("variables list")


def test_arguments_that_name_files_of_the_server_are_refused(made: Catalogue) -> None:
    scheduler = {argument.name: argument for argument in made.endpoints["scheduler"].forms[0].arguments}
    for name in ("pid", "stdout", "stderr", "log_file"):
        assert scheduler[name].refused == ARGUMENTS[name]
    assert scheduler["daemon"].ignored


def test_a_former_name_is_answered_with_today_s(made: Catalogue, major: int) -> None:
    with pytest.raises(NotInThisAirflow, match="db migrate"):
        made.find("initdb")
    if major < 3:
        assert made.find("dags backfill").name == "dags backfill"
    else:
        for old, new in (
            ("dags backfill", "backfill create"),
            ("webserver", "api-server"),
            ("tasks run", "tasks test"),
        ):
            with pytest.raises(NotInThisAirflow, match=new):
                made.find(old)


def test_an_unknown_name_is_answered_with_the_nearest(made: Catalogue) -> None:
    with pytest.raises(NotFound, match="did you mean 'dags trigger'"):
        made.find("dags triger")
    with pytest.raises(NotFound):
        made.find("x" * 100_000)


def test_former_names_lead_to_commands_that_are_there(made: Catalogue) -> None:
    groups = {name.rpartition(" ")[0] for name in made.endpoints}
    for old, today in made.renamed.items():
        assert old not in made.endpoints
        named = [name for name in [*made.endpoints, *groups] if name and name in today]
        assert named, (old, today)


def test_what_this_airflow_could_have_is_answered_with_what_it_needs(major: int) -> None:
    description = airflow_commands.description()
    without = [command for command in description["commands"] if not command["name"].startswith("celery ")]
    groups = [group for group in description["groups"] if group["name"] != "celery"]
    made = catalogue({**description, "commands": without, "groups": groups}, Policy())
    with pytest.raises(NotInThisAirflow, match="it needs a Celery executor"):
        made.find("celery list-workers")
    if major >= 3:
        with pytest.raises(NotInThisAirflow, match="apache-airflow-providers-fab"):
            made.find("users create")


def test_the_etag_changes_with_policy_and_commands() -> None:
    description = airflow_commands.description()
    first = catalogue(description, Policy())
    assert catalogue(description, Policy()).etag == first.etag
    assert catalogue(description, Policy(denied=["version"])).etag != first.etag
    fewer = {**description, "commands": description["commands"][1:]}
    assert catalogue(fewer, Policy()).etag != first.etag
    assert catalogue({**description, "airflow": "9.9"}, Policy()).etag != first.etag


def test_the_document_describes_what_clients_need(made: Catalogue) -> None:
    document: dict[str, Any] = json.loads(made.text)
    commands = {command["name"]: command for command in document["commands"]}
    [conf] = [found for found in commands["dags trigger"]["arguments"] if found["name"] == "conf"]
    assert (conf["flags"], conf["kind"], conf["required"]) == (["-c", "--conf"], "json", False)
    [file] = [found for found in commands["variables import"]["arguments"] if found["name"] == "file"]
    assert (file["flags"], file["kind"], file["required"]) == ([], "upload", True)
    assert commands["dags delete"]["confirm"] == {"argument": "yes", "when": [], "unless": []}
    assert commands["db clean"]["confirm"]["unless"] == ["dry_run"]
    assert commands["dags pause"]["confirm"]["when"] == ["treat_dag_id_as_regex"]
    assert commands["dags list"]["json"]
    assert "dags" in {group["name"] for group in document["groups"]}


def test_the_sample_for_the_client_is_what_the_server_tells(made: Catalogue, major: int) -> None:
    """The sample is of Airflow 3.3, with what only FAB has from Airflow 2.11."""
    document, sample = json.loads(made.text), contract.commands()
    assert document.keys() == sample.keys()
    commands = {command["name"]: command for command in document["commands"]}
    own = [
        command
        for command in sample["commands"]
        if command["name"].startswith(("roles ", "users ")) == (major < 3)
    ]
    assert len(own) >= 2
    for command in own:
        assert commands[command["name"]] == command
    if major >= 3:
        assert (document["renamed"], document["missing"]) == (sample["renamed"], sample["missing"])
