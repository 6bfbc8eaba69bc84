from __future__ import annotations

import json
from typing import Any

import airflow_commands
import contract
import pytest
from catalog_coverage import undecided

from airflow_remote_server.catalog import argument_traits, traits
from airflow_remote_server.catalog.live import Catalog, build_catalog
from airflow_remote_server.catalog.policy import ARGUMENTS, Policy
from airflow_remote_server.errors import NotFound, NotInThisAirflow, Refused


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return build_catalog(airflow_commands.description(), Policy())


def test_catalog_has_every_command_of_the_parser(catalog: Catalog) -> None:
    assert set(catalog.endpoints) == set(airflow_commands.leaves())


def test_catalog_has_the_commands_of_providers(catalog: Catalog) -> None:
    assert {"celery list-workers", "kubernetes cleanup-pods", "kubernetes generate-dag-yaml"} <= set(
        catalog.endpoints
    )


def test_catalog_has_every_argument_of_the_parser(catalog: Catalog) -> None:
    for name, parser in airflow_commands.leaves().items():
        wanted = {
            tuple(action.option_strings) or (action.dest,)
            for action in parser._actions  # noqa: SLF001 - there is no public name
            if action.dest != "help"
        }
        found = {
            (*argument.flags, *([argument.off] if argument.off else ())) or (argument.name,)
            for argument in catalog.endpoints[name].variants[0].arguments
            if not argument.own
        }
        assert found == wanted, name


def test_choices_have_the_order_of_airflows_help(catalog: Catalog) -> None:
    for name, parser in airflow_commands.leaves().items():
        arguments = {
            argument.flags or (argument.name,): argument
            for argument in catalog.endpoints[name].variants[0].arguments
        }
        for action in parser._actions:  # noqa: SLF001 - there is no public name
            if isinstance(action.choices, (list, tuple)):
                found = arguments[tuple(action.option_strings) or (action.dest,)]
                assert list(found.choices) == [str(choice) for choice in action.choices], (name, found.name)


def test_traits_cover_every_command(catalog: Catalog) -> None:
    unknown = [name for name in catalog.endpoints if not traits.traits_of(name).covered]
    assert unknown == [], "add these commands to catalog/traits.py"


def test_traits_cover_every_argument_that_may_name_a_file(catalog: Catalog) -> None:
    for endpoint in catalog.endpoints.values():
        for argument in undecided(endpoint):
            pytest.fail(
                f"add {argument.name!r} of `{endpoint.name}` to argument_traits.py or policy.py: "
                f"it seems to name a file ({argument.help})"
            )


def test_tables_name_existing_arguments(catalog: Catalog) -> None:
    """Only commands of the installed version can be checked."""
    tables = (
        argument_traits.UPLOADS,
        argument_traits.DOWNLOADS,
        argument_traits.FOLDERS,
        argument_traits.SECRETS,
    )
    for command, name in (entry for table in tables for entry in table):
        if command in catalog.endpoints:
            names = {argument.name for argument in catalog.endpoints[command].variants[0].arguments}
            assert name in names, command


def test_names_of_arguments_are_unique(catalog: Catalog) -> None:
    for endpoint in catalog.endpoints.values():
        names = [
            name for argument in endpoint.variants[0].arguments for name in (argument.name, *argument.aliases)
        ]
        assert len(names) == len(set(names)), endpoint.name


def test_commands_that_read_are_read_only(catalog: Catalog) -> None:
    reading = {name for name, endpoint in catalog.endpoints.items() if endpoint.read_only}
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


def test_commands_that_run_until_stopped_are_services(catalog: Catalog) -> None:
    services = {name for name, endpoint in catalog.endpoints.items() if endpoint.variants[0].service}
    assert {
        "scheduler",
        "triggerer",
        "dag-processor",
        "kerberos",
        "celery worker",
        "celery flower",
    } <= services
    assert not services & {"dags backfill", "backfill create", "version", "celery stop"}


def test_secret_arguments_are_marked(catalog: Catalog) -> None:
    arguments = {
        argument.name: argument for argument in catalog.endpoints["connections add"].variants[0].arguments
    }
    assert {name for name, argument in arguments.items() if argument.secret} == {
        "conn_extra",
        "conn_json",
        "conn_password",
        "conn_uri",
    }
    [value] = [
        argument
        for argument in catalog.endpoints["variables set"].variants[0].arguments
        if argument.name == "value"
    ]
    assert value.secret


@pytest.mark.parametrize(
    "command",
    ["db shell", "db reset", "db downgrade", "standalone", "config update"],
)
def test_harmful_commands_are_refused_by_default(catalog: Catalog, command: str) -> None:
    assert catalog.endpoints[command].refused
    with pytest.raises(Refused, match="refused by the policy"):
        Policy().check(command)
    Policy(allowed=["db *", "config update", "standalone"]).check(command)


def test_configuration_can_refuse_more_commands() -> None:
    policy = Policy(allowed=["*"], denied=["connections *"])
    with pytest.raises(Refused, match="deny_commands"):
        policy.check("connections list")
    with pytest.raises(Refused, match="deny_commands"):
        Policy(denied=["trigger_dag"]).check("dags trigger", "trigger_dag")
    policy.check("variables list")


def test_arguments_that_name_files_on_the_server_are_refused(catalog: Catalog) -> None:
    scheduler = {argument.name: argument for argument in catalog.endpoints["scheduler"].variants[0].arguments}
    for name in ("pid", "stdout", "stderr", "log_file"):
        assert scheduler[name].refused == ARGUMENTS[name]
    assert scheduler["daemon"].ignored


def test_former_name_is_answered_with_the_current_one(catalog: Catalog, major: int) -> None:
    with pytest.raises(NotInThisAirflow, match="db migrate"):
        catalog.find("initdb")
    if major < 3:
        assert catalog.find("dags backfill").name == "dags backfill"
    else:
        for old, new in (
            ("dags backfill", "backfill create"),
            ("webserver", "api-server"),
            ("tasks run", "tasks test"),
        ):
            with pytest.raises(NotInThisAirflow, match=new):
                catalog.find(old)


def test_unknown_name_is_answered_with_a_similar_one(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="did you mean 'dags trigger'"):
        catalog.find("dags triger")
    with pytest.raises(NotFound):
        catalog.find("x" * 100_000)


def test_former_names_map_to_existing_commands(catalog: Catalog) -> None:
    groups = {name.rpartition(" ")[0] for name in catalog.endpoints}
    for old, today in catalog.renamed.items():
        assert old not in catalog.endpoints
        named = [name for name in [*catalog.endpoints, *groups] if name and name in today]
        assert named, (old, today)


def test_missing_command_is_answered_with_its_requirement(major: int) -> None:
    description = airflow_commands.description()
    without = [command for command in description["commands"] if not command["name"].startswith("celery ")]
    groups = [group for group in description["groups"] if group["name"] != "celery"]
    catalog = build_catalog({**description, "commands": without, "groups": groups}, Policy())
    with pytest.raises(NotInThisAirflow, match="it needs a Celery executor"):
        catalog.find("celery list-workers")
    if major >= 3:
        with pytest.raises(NotInThisAirflow, match="apache-airflow-providers-fab"):
            catalog.find("users create")


def test_etag_changes_with_policy_and_commands() -> None:
    description = airflow_commands.description()
    first = build_catalog(description, Policy())
    assert build_catalog(description, Policy()).etag == first.etag
    assert build_catalog(description, Policy(denied=["version"])).etag != first.etag
    fewer = {**description, "commands": description["commands"][1:]}
    assert build_catalog(fewer, Policy()).etag != first.etag
    assert build_catalog({**description, "airflow": "9.9"}, Policy()).etag != first.etag


def test_document_describes_commands_for_clients(catalog: Catalog) -> None:
    document: dict[str, Any] = json.loads(catalog.text)
    commands = {command["name"]: command for command in document["commands"]}
    [conf] = [found for found in commands["dags trigger"]["arguments"] if found["name"] == "conf"]
    assert (conf["flags"], conf["kind"], conf["required"]) == (["-c", "--conf"], "json", False)
    [file] = [found for found in commands["variables import"]["arguments"] if found["name"] == "file"]
    assert (file["flags"], file["kind"], file["required"]) == ([], "upload", True)
    assert commands["dags delete"]["confirm"] == {
        "argument": "yes",
        "when": [],
        "unless": [],
        "preview": True,
    }
    assert commands["db clean"]["confirm"]["unless"] == ["dry_run"]
    assert commands["dags pause"]["confirm"]["when"] == ["treat_dag_id_as_regex"]
    assert commands["dags list"]["json"]
    assert "dags" in {group["name"] for group in document["groups"]}


def test_contract_sample_matches_the_catalog(catalog: Catalog, major: int) -> None:
    """The sample comes from Airflow 3.3; the commands of the FAB provider come from Airflow 2.11."""
    document, sample = json.loads(catalog.text), contract.commands()
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
