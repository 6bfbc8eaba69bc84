from __future__ import annotations

import copy

import pytest
from contract import commands

from airflow_remote.catalogue import Catalogue
from airflow_remote.client import Client
from airflow_remote.errors import NotTheApiError, RefusedError, UnsupportedError
from airflow_remote.shape import clean


def changed(*path, to):
    """The sample with another value at a place; the first command is `backfill create`."""
    document = copy.deepcopy(commands())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return document


def test_the_sample_is_understood():
    catalogue = Catalogue(commands()).checked()
    assert catalogue.airflow == "3.3.2"
    assert sorted(catalogue.names) == sorted(entry["name"] for entry in commands()["commands"])
    trigger = catalogue.command("dags trigger")
    assert next((one.name, one.positional) for one in trigger.arguments) == ("dag_id", True)
    conf = trigger.argument("conf")
    assert (conf.flags, conf.kind, conf.nargs) == (("-c", "--conf"), "json", None)
    assert catalogue.command("db clean").confirm == ("yes", (), ("dry_run",))
    assert catalogue.command("users create").asks == (("password", ("use_random_password",)),)


def test_the_sample_covers_what_an_argument_can_be():
    entries = [(entry, one) for entry in commands()["commands"] for one in entry["arguments"]]
    kinds = {one["kind"] for _, one in entries}
    assert {"text", "integer", "flag", "date", "json", "upload", "download", "folder"} <= kinds
    assert {one["nargs"] for _, one in entries} >= {None, "?", "*"}
    for trait in ("repeatable", "choices", "off", "secret", "refused", "ignored", "required", "default"):
        assert any(one[trait] for _, one in entries), trait
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


def test_words_lead_to_commands_and_groups_with_either_dash():
    catalogue = Catalogue(commands())
    assert catalogue.find("dags") == "dags"
    assert catalogue.is_group("dags")
    assert not catalogue.is_group("version")
    assert catalogue.find("list_workers", "celery") == "celery list-workers"
    assert catalogue.find("trigger") is None
    assert catalogue.children("dags") == ["dags delete", "dags list", "dags trigger"]


def test_groups_in_groups_are_there_even_when_they_are_not_listed():
    document = {**commands(), "commands": [{"name": "a b c", "help": "deep"}], "groups": []}
    catalogue = Catalogue(document)
    assert catalogue.children() == ["a"]
    assert catalogue.find("c", catalogue.find("b", "a")) == "a b c"
    assert catalogue.command("a b c").arguments == ()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"format": 1},
        {"format": 2, "commands": []},
        changed("commands", to={}),
        changed("commands", to=["dags list"]),
        changed("groups", to=[1]),
        changed("renamed", to={"a": 1}),
        changed("renamed", to=[]),
        changed("missing", to={"a": None}),
        changed("commands", 0, "name", to="../x"),
        changed("commands", 0, "name", to=""),
        changed("commands", 0, "name", to=None),
        changed("commands", 0, "help", to=1),
        changed("commands", 0, "hidden", to="no"),
        changed("commands", 0, "confirm", to="yes"),
        changed("commands", 0, "asks", to=["password"]),
        changed("commands", 0, "exclusive", to=["a"]),
        changed("commands", 0, "arguments", to="x"),
        changed("commands", 0, "arguments", 0, "name", to="a b"),
        changed("commands", 0, "arguments", 0, "flags", to=["conf"]),
        changed("commands", 0, "arguments", 0, "flags", to=["--a b"]),
        changed("commands", 0, "arguments", 0, "flags", to="--conf"),
        changed("commands", 0, "arguments", 0, "off", to="no"),
        changed("commands", 0, "arguments", 0, "nargs", to="A..."),
        changed("commands", 0, "arguments", 0, "nargs", to=0),
        changed("commands", 0, "arguments", 0, "nargs", to=True),
        changed("commands", 0, "arguments", 0, "nargs", to=10**9),
        changed("commands", 0, "arguments", 0, "choices", to=[1]),
    ],
    ids=lambda document: str(document)[:20],
)
def test_what_cannot_be_understood_is_refused_as_a_whole(stub, document):
    with pytest.raises(ValueError, match=r"."):
        Catalogue(document).checked()
    stub.catalogue = document if document is not None else "nothing"
    with pytest.raises(NotTheApiError, match=r"commands that cannot be understood|format 2: update"):
        Client(stub.url).commands()


def test_texts_of_a_server_do_not_steer_the_terminal():
    document = changed("commands", 0, "help", to="a\x1b[2Jb\r\nc\x07 ")
    assert Catalogue(document).command("backfill create").help == "a [2Jb\nc"
    assert clean("\x9b31m\u202ex\n\n") == "31m x"


# The Python API.


def test_the_client_has_the_catalogue(stub):
    stub.catalogue = commands()
    catalogue = Client(stub.url, "s3cret-token").commands()
    assert catalogue.command("dags trigger").argument("dag_id").required
    [asked] = stub.asked
    assert asked.headers["rest-api-plugin-http-token"] == "s3cret-token"


def test_an_older_server_is_told_as_that(stub):
    with pytest.raises(UnsupportedError, match="too old to tell its commands"):
        Client(stub.url).commands()


def test_a_refusal_is_told_as_that(stub):
    from stub import answered

    said = {"call_time": "", "output": "Token Authentication Failed", "response_time": "", "status": "ERROR"}
    stub.refusal = answered(said, 403)
    with pytest.raises(RefusedError, match="give the token by"):
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
def test_a_name_of_several_words_is_a_live_command(stub, name, live, path):
    Client(stub.url).run(name, dag_id="x", conf={"a": 1}, live=live)
    assert stub.request.path == f"/admin/rest_api/api/v1.0/{path}"
    assert stub.request.arguments == {"dag_id": "x", "conf": {"a": 1}}
