"""The parsed and validated catalog of a server."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from contract import commands

from airflow_remote.catalog.models import Catalog
from airflow_remote.catalog.validate import clean
from airflow_remote.client import Client
from airflow_remote.errors import NotTheApiError, OutdatedServerError, RefusedError
from client.responses import json_response
from client.stub import Stub


def changed_catalog(*path: str | int, to: Any) -> Any:
    """Return the sample catalog with a changed value; its first command is ``backfill create``.

    :param path: keys and indexes that lead to the value
    :param to: the new value
    """
    document = copy.deepcopy(commands())
    container = document
    for step in path[:-1]:
        container = container[step]
    container[path[-1]] = to
    return document


def test_sample_catalog_is_parsed() -> None:
    catalog = Catalog(commands()).validate_all()
    assert catalog.airflow == "3.3.2"
    assert sorted(catalog.names) == sorted(entry["name"] for entry in commands()["commands"])
    trigger = catalog.command("dags trigger")
    assert next((argument.name, argument.positional) for argument in trigger.arguments) == ("dag_id", True)
    conf = trigger.argument("conf")
    assert conf is not None
    assert (conf.flags, conf.kind, conf.nargs) == (("-c", "--conf"), "json", None)
    assert catalog.command("db clean").confirm == ("yes", (), ("dry_run",), True)
    assert catalog.command("users create").asks == (("password", ("use_random_password",)),)


def test_sample_catalog_covers_every_kind_of_argument() -> None:
    entries = [(entry, argument) for entry in commands()["commands"] for argument in entry["arguments"]]
    kinds = {argument["kind"] for _, argument in entries}
    assert {"text", "integer", "flag", "date", "json", "upload", "download", "folder"} <= kinds
    assert {argument["nargs"] for _, argument in entries} >= {None, "?", "*"}
    for trait in ("repeatable", "choices", "off", "secret", "refused", "ignored", "required", "default"):
        assert any(argument[trait] for _, argument in entries), trait
    for trait in (
        "read_only",
        "service",
        "long_running",
        "json",
        "prints_secrets",
        "confirm",
        "asks",
        "refused",
    ):
        assert any(entry[trait] for entry in commands()["commands"]), trait
    assert any(entry["exclusive"] for entry in commands()["commands"])


def test_names_are_found_with_dashes_or_underscores() -> None:
    catalog = Catalog(commands())
    assert catalog.find("dags") == "dags"
    assert catalog.is_group("dags")
    assert not catalog.is_group("version")
    assert catalog.find("list_workers", "celery") == "celery list-workers"
    assert catalog.find("trigger") is None
    assert catalog.children("dags") == ["dags delete", "dags list", "dags trigger"]


def test_unlisted_nested_groups_exist() -> None:
    document = {**commands(), "commands": [{"name": "a b c", "help": "deep"}], "groups": []}
    catalog = Catalog(document)
    assert catalog.children() == ["a"]
    assert catalog.find("b", "a") == "a b"
    assert catalog.find("c", "a b") == "a b c"
    assert catalog.command("a b c").arguments == ()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"format": 1},
        {"format": 2, "commands": []},
        changed_catalog("commands", to={}),
        changed_catalog("commands", to=["dags list"]),
        changed_catalog("groups", to=[1]),
        changed_catalog("renamed", to={"a": 1}),
        changed_catalog("renamed", to=[]),
        changed_catalog("missing", to={"a": None}),
        changed_catalog("commands", 0, "name", to="../x"),
        changed_catalog("commands", 0, "name", to=""),
        changed_catalog("commands", 0, "name", to=None),
        changed_catalog("commands", 0, "help", to=1),
        changed_catalog("commands", 0, "hidden", to="no"),
        changed_catalog("commands", 0, "confirm", to="yes"),
        changed_catalog("commands", 0, "asks", to=["password"]),
        changed_catalog("commands", 0, "exclusive", to=["a"]),
        changed_catalog("commands", 0, "arguments", to="x"),
        changed_catalog("commands", 0, "arguments", 0, "name", to="a b"),
        changed_catalog("commands", 0, "arguments", 0, "flags", to=["conf"]),
        changed_catalog("commands", 0, "arguments", 0, "flags", to=["--a b"]),
        changed_catalog("commands", 0, "arguments", 0, "flags", to="--conf"),
        changed_catalog("commands", 0, "arguments", 0, "off", to="no"),
        changed_catalog("commands", 0, "arguments", 0, "nargs", to="A..."),
        changed_catalog("commands", 0, "arguments", 0, "nargs", to=0),
        changed_catalog("commands", 0, "arguments", 0, "nargs", to=True),
        changed_catalog("commands", 0, "arguments", 0, "nargs", to=10**9),
        changed_catalog("commands", 0, "arguments", 0, "choices", to=[1]),
    ],
    ids=lambda document: str(document)[:20],
)
def test_invalid_catalog_is_rejected_as_a_whole(stub: Stub, document: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        Catalog(document).validate_all()
    stub.catalog = document if document is not None else "nothing"
    with pytest.raises(NotTheApiError, match=r"an invalid list of commands|format 2: update"):
        Client(stub.url).commands()


def test_server_texts_cannot_control_the_terminal() -> None:
    document = changed_catalog("commands", 0, "help", to="a\x1b[2Jb\r\nc\x07 ")
    assert Catalog(document).command("backfill create").help == "a [2Jb\nc"
    assert clean("\x9b31m\u202ex\n\n") == "31m x"


# The Python API.


def test_client_returns_the_catalog(stub: Stub) -> None:
    stub.catalog = commands()
    catalog = Client(stub.url, "s3cret-token").commands()
    dag_id = catalog.command("dags trigger").argument("dag_id")
    assert dag_id is not None
    assert dag_id.required
    [request] = stub.catalog_requests
    assert request.headers["rest-api-plugin-http-token"] == "s3cret-token"


def test_server_without_a_catalog_is_too_old(stub: Stub) -> None:
    with pytest.raises(OutdatedServerError, match="too old to list its commands"):
        Client(stub.url).commands()


def test_refused_catalog_request_raises(stub: Stub) -> None:
    refused = {
        "call_time": "",
        "output": "Token Authentication Failed",
        "response_time": "",
        "status": "ERROR",
    }
    stub.catalog_response = json_response(refused, 403)
    with pytest.raises(RefusedError, match="set --token"):
        Client(stub.url).commands()


@pytest.mark.parametrize(
    ("name", "live", "path"),
    [
        ("dags trigger", None, "commands/dags/trigger"),
        ("db check-migrations", None, "commands/db/check-migrations"),
        ("info", None, "commands/info"),
        ("version", None, "version"),
        ("version", True, "commands/version"),
        ("trigger_dag", None, "trigger_dag"),
        ("workers", None, "workers"),
    ],
)
def test_name_with_several_words_is_a_live_command(
    stub: Stub, name: str, live: bool | None, path: str
) -> None:
    Client(stub.url).run(name, dag_id="x", conf={"a": 1}, live=live)
    assert stub.request.path == f"/admin/rest_api/api/v1.0/{path}"
    assert stub.request.arguments == {"dag_id": "x", "conf": {"a": 1}}
