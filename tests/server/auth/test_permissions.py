"""Roles, tokens for certain DAGs, and whose jobs a token sees, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote import entry, secret_of

from airflow_remote_server.auth.permissions import VIEWER, Permissions, Role
from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.catalog.traits import traits_of
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR
from airflow_remote_server.util.globs import matches_any

if TYPE_CHECKING:
    from remote import Remote

RELEASE = '[role.release]\nbase = "operator"\ncommands = ["pools *", "variables *", "variables get"]\n'
RELEASE += 'deny = ["tasks run", "trigger_dag"]\n'
DAGS = 'dags = ["etl_*"]\n'


def refusal(remote: Remote, command: str, arguments: dict[str, Any]) -> str:
    """Return the message of the refusal of a command; "" if permissions do not refuse it."""
    path = f"commands/{command.replace(' ', '/')}" if " " in command else command
    response = remote(path, "POST", json=arguments)
    if response.status_code != 403:
        return ""
    assert response.json["error"]["type"] == "Refused"
    assert "job" not in response.json
    return str(response.json["output"])


# An invalid argument: a command that is allowed gets as far as validation, and is not run.
WRONG = {"no_such_argument": 1}


SERVICES = ("scheduler", "triggerer", "kerberos", "serve_logs", "dag-processor")
CODE = ("deploy_dag", "undeploy_dag", "rollback_dag")


@pytest.mark.parametrize("glob", ["*", "**", "?*", "[a-z]*", "*-dag", "*_dag", "s*"])
@pytest.mark.parametrize("base", ["", 'base = "operator"\n'])
def test_no_glob_grants_code_services_or_secrets(holder: Any, glob: str, base: str) -> None:
    remote = holder("wide", roles=f'[role.wide]\n{base}commands = ["{glob}"]\n')
    for name in SERVICES:
        path = name if name in ("scheduler", "kerberos", "serve_logs") else f"commands/{name}"
        assert "starts a service, and the role 'wide' does not name it" in refusal(remote, path, WRONG)
    for name in CODE:
        assert "changes DAG files, and the role 'wide' does not name it" in refusal(remote, name, WRONG)
    assert "can print secrets" in refusal(remote, "variables get", WRONG)


def test_role_may_name_code_and_services(holder: Any) -> None:
    named = ", ".join(f'"{name}"' for name in (*SERVICES, "deploy_dag", "undeploy-dag"))
    remote = holder("named", roles=f"[role.named]\ncommands = [{named}]\n")
    for name in ("scheduler", "kerberos", "serve_logs", "commands/scheduler", "deploy_dag", "undeploy_dag"):
        assert refusal(remote, name, WRONG) == ""
    assert "does not name it" in refusal(remote, "rollback_dag", WRONG)


@pytest.mark.parametrize("release", [*NEWEST_OF_MAJOR.values()])
def test_no_pattern_grants_any_service(release: Any) -> None:
    wide = Role("wide", reads=True, commands=("*",))
    for endpoint in classic_endpoints(release).values():
        for variant in endpoint.variants:
            granted = not Permissions(wide).refusal(variant, endpoint.name)[1]
            assert not granted or not (variant.service or endpoint.name in CODE), endpoint.name


@pytest.mark.parametrize(
    ("role", "command", "layer"),
    [
        ("viewer", "version", ""),
        ("viewer", "dags list", ""),
        ("viewer", "list_dags", ""),
        ("viewer", "pools list", ""),
        ("viewer", "tasks state", ""),
        ("viewer", "dags trigger", "role"),
        ("viewer", "trigger_dag", "role"),
        ("viewer", "pause", "role"),
        ("viewer", "deploy_dag", "role"),
        ("viewer", "rollback_dag", "role"),
        ("viewer", "refresh_dag", "role"),
        ("viewer", "pools set", "role"),
        ("viewer", "connections test", "role"),
        ("viewer", "connections get", "role"),
        ("viewer", "variables", "role"),
        ("viewer", "variables get", "role"),
        ("viewer", "config list", "role"),
        ("viewer", "tasks render", "role"),
        ("viewer", "render", "role"),
        ("viewer", "scheduler", "role"),
        ("viewer", "db reset", "role"),
        ("operator", "tasks state", ""),
        ("operator", "dags trigger", ""),
        ("operator", "trigger_dag", ""),
        ("operator", "pause", ""),
        ("operator", "clear", ""),
        ("operator", "backfill", ""),
        ("operator", "tasks test", ""),
        ("operator", "refresh_dag", ""),
        ("operator", "refresh_all_dags", ""),
        ("operator", "deploy_dag", "role"),
        ("operator", "undeploy_dag", "role"),
        ("operator", "rollback_dag", "role"),
        ("operator", "dags delete", "role"),
        ("operator", "pools set", "role"),
        ("operator", "variables set", "role"),
        ("operator", "variables list", "role"),
        ("operator", "connections export", "role"),
        ("operator", "scheduler", "role"),
        ("admin", "variables list", ""),
        ("admin", "connections export", ""),
        ("admin", "deploy_dag", ""),
        ("admin", "db reset", "policy"),
        ("release", "pools set", ""),
        ("release", "variables set", ""),
        ("release", "variables get", ""),
        ("release", "variables list", "role"),  # a pattern does not count for secrets
        ("release", "tasks test", ""),
        ("release", "trigger_dag", "role"),
        ("release", "dags trigger", "role"),  # the same command under another name
        ("release", "connections get", "role"),
    ],
)
def test_role_limits_commands(holder: Any, role: str, command: str, layer: str) -> None:
    message = refusal(holder(role, roles=RELEASE), command, WRONG)
    assert f"efused by the {layer}" in message if layer else message == ""


def test_role_is_checked_before_arguments(holder: Any) -> None:
    """CVE-2024-23897: a CLI server expanded arguments before it checked permissions."""
    remote = holder("viewer")
    for path in ("/etc/passwd", "@/etc/passwd"):
        assert "role" in refusal(remote, "dags trigger", {"dag_id": path, "subdir": path, "conf": path})


def test_deny_applies_to_every_name_of_a_command(holder: Any) -> None:
    remote = holder("mine", roles='[role.mine]\nbase = "admin"\ndeny = ["variables *"]\n')
    assert "role" in refusal(remote, "variables get", WRONG)
    assert "role" in refusal(remote, "variables", {"get": "x"})
    assert refusal(remote, "connections get", WRONG) == ""


def test_token_restricts_its_role(holder: Any) -> None:
    remote = holder("operator", 'commands = ["dags *", "pools *"]\n')
    assert refusal(remote, "dags trigger", WRONG) == ""
    assert refusal(remote, "trigger_dag", WRONG) == ""
    assert "by the token" in refusal(remote, "tasks test", WRONG)
    assert "by the role" in refusal(remote, "pools set", WRONG), "a token grants nothing beyond its role"


@pytest.mark.parametrize(
    ("command", "arguments", "hint"),
    [
        ("dags trigger", {"dag_id": "other"}, "'other' is not among them"),
        ("trigger_dag", {"dag_id": "other"}, "'other' is not among them"),
        ("dags trigger", {"dag_id": "Etl_x"}, "not among them"),
        ("dags trigger", {"dag_id": "x etl_x"}, "not among them"),
        ("dags pause", {"dag_id": "etl_.*|other", "treat_dag_id_as_regex": True, "yes": True}, "confined"),
        ("tasks clear", {"dag_id": "etl_.*|other", "dag_regex": True, "yes": True}, "confined"),
        ("backfill", {"dag_id": "other", "start_date": "2026-01-01"}, "not among them"),
        ("dags list-jobs", {}, "give dag_id"),
        ("dags list-jobs", {"dag_id": ""}, "give dag_id"),
        ("dags list", {}, "cannot be confined"),
        ("list_dags", {}, "cannot be confined"),
        ("dags report", {}, "cannot be confined"),
        ("dags reserialize", {}, "cannot be confined"),
        ("dags show-dependencies", {}, "cannot be confined"),
        ("pools list", {}, "cannot be confined"),
        ("jobs check", {}, "cannot be confined"),
        ("refresh_dag", {"dag_id": "other"}, "not among them"),
        ("refresh_all_dags", {}, "cannot be confined"),
    ],
)
@pytest.mark.parametrize("role", ["operator", "admin"])
def test_token_for_certain_dags_reaches_no_others(
    holder: Any, role: str, command: str, arguments: dict[str, Any], hint: str
) -> None:
    message = refusal(holder(role, DAGS), command, arguments)
    assert "Refused by the token's DAGs" in message
    assert hint in message


def test_token_for_certain_dags_cannot_choose_their_location(holder: Any, major: int) -> None:
    where: dict[str, Any] = {"subdir": "."} if major < 3 else {"bundle_name": ["dags-folder"]}
    message = refusal(holder("operator", DAGS), "tasks list", {"dag_id": "etl_x", **where})
    assert next(iter(where)) in message


def test_token_for_certain_dags_reaches_them(holder: Any, database: None) -> None:
    remote = holder("operator", DAGS)
    response = remote("commands/dags/details", "POST", json={"dag_id": "etl_x"})
    assert response.status_code in (404, 422), "it runs, and finds no DAG"
    assert remote("version").status_code == 200
    assert remote("rest_api_plugin_version").status_code == 200


def test_token_for_certain_dags_cannot_deploy(holder: Any) -> None:
    assert "cannot be confined" in refusal(holder("admin", DAGS), "deploy_dag", {})


@given(st.text(max_size=20), st.text(max_size=5))
def test_dag_patterns_match_whole_ids(dag_id: str, prefix: str) -> None:
    permissions = Permissions(VIEWER, dags=("etl_*", "one"))
    assert permissions.reaches(dag_id) == (dag_id.startswith("etl_") or dag_id == "one")
    assert permissions.reaches(f"{prefix}etl_x") == (prefix == "" or prefix.startswith("etl_"))


def test_viewer_runs_only_commands_that_read_and_print_no_secrets(holder: Any) -> None:
    remote = holder("viewer")
    listed = remote("commands").json["commands"]
    assert {"version", "dags list", "tasks list", "pools list"} <= {command["name"] for command in listed}
    for command in listed:
        assert command["read_only"]
        assert not command["prints_secrets"]
        assert refusal(remote, command["name"], WRONG) == ""


def test_classic_endpoints_let_a_viewer_change_nothing(major: int) -> None:
    permissions = Permissions(VIEWER)
    for endpoint in classic_endpoints(NEWEST_OF_MAJOR[major]).values():
        for variant in endpoint.variants:
            if not permissions.refusal(variant, endpoint.name)[1]:
                assert variant.read_only, endpoint.name
                assert not traits_of(" ".join(variant.command)).prints_secrets


def test_catalog_lists_only_what_a_token_may_run(holder: Any) -> None:
    remote = holder("viewer")
    admin = remote.holding("open sesame")
    mine, whole = remote("commands"), admin("commands")
    assert mine.headers["ETag"] != whole.headers["ETag"]
    told = {command["name"] for command in mine.json["commands"]}
    every = {command["name"] for command in whole.json["commands"]}
    assert "dags list" in told
    assert told < every
    for name in every - told:
        assert remote(f"commands/{name.replace(' ', '/')}", "POST").status_code == 403, name
    assert not {"backfill", "db-manager"} & {group["name"] for group in mine.json["groups"]}
    assert (mine.json["withheld"], whole.json["withheld"]) == (True, False)
    etag = mine.headers["ETag"]
    assert remote("commands", **{"IF-NONE-MATCH": etag}).status_code == 304
    assert remote("commands/dags/trigger", "POST").headers["Airflow-Remote-Catalog"] == etag


def test_whoami_lists_permissions(holder: Any) -> None:
    document = holder("operator", DAGS + "expires = 2999-01-01T00:00:00Z\n")("whoami").json
    assert (document["name"], document["role"], document["dags"]) == ("ci", "operator", ["etl_*"])
    assert document["expires"] == "2999-01-01T00:00:00.000+00:00"
    assert document["unrestricted"] is False
    assert {"dags trigger", "tasks clear", "version"} <= set(document["commands"])
    assert not {"pools list", "variables get", "db reset"} & set(document["commands"])
    assert "trigger_dag" in document["endpoints"]
    assert "deploy_dag" not in document["endpoints"]


def test_token_of_airflow_cfg_is_unrestricted(remote: Remote) -> None:
    document = remote("whoami").json
    assert (document["name"], document["role"], document["unrestricted"]) == ("token", "admin", True)
    assert (document["dags"], document["expires"]) == (None, None)
    assert "variables get" in document["commands"]


@pytest.mark.parametrize(
    ("words", "allowed", "layer"),
    [
        ("dags trigger etl_x", True, ""),
        ("dags trigger", True, ""),
        ("trigger_dag etl_x", True, ""),
        ("dags trigger other", False, "DAG"),
        ("trigger_dag other", False, "DAG"),
        ("dags delete etl_x", False, "role"),
        ("pools list", False, "DAG"),
        ("version", True, ""),
    ],
)
def test_whoami_can_check_a_command(holder: Any, words: str, allowed: bool, layer: str) -> None:
    document = holder("operator", DAGS)("whoami", query_string={"can": words}).json["can"]
    assert (document["allowed"], document["layer"]) == (allowed, layer)
    assert bool(document["reason"]) != allowed


@pytest.mark.parametrize(
    ("words", "status"), [("dags triger", 404), ("", 404), ("version x", 400), ("dags trigger a b", 400)]
)
def test_whoami_rejects_invalid_commands(holder: Any, words: str, status: int) -> None:
    response = holder("viewer")("whoami", query_string={"can": words})
    assert response.status_code == status, response.text


def test_only_an_admin_sees_the_jobs_of_others(holder: Any, tokens_file: Any, database: None) -> None:
    mine = holder("viewer")
    tokens_file.write_text(entry("ci", "viewer") + entry("other", "operator") + entry("boss", "admin"))
    other, boss = mine.holding(secret_of("other")), mine.holding(secret_of("boss"))
    job_id = other("version").json["job"]["id"]
    own_id = mine("version").json["job"]["id"]
    for path in ("", "/output", "/files/x"):
        stranger = mine(f"jobs/{job_id}{path}")
        nothing = mine(f"jobs/{'0' * 32}{path}")
        assert stranger.status_code == nothing.status_code == 404
        assert stranger.json["output"] == nothing.json["output"].replace("0" * 32, job_id)
    assert mine(f"jobs/{job_id}/stop", "POST").status_code == 404
    assert {job["principal"] for job in mine.jobs()} == {"ci"}
    assert own_id in {job["id"] for job in mine.jobs()}
    assert mine.jobs(principal="other") == []
    assert mine.job(own_id)["state"] == "succeeded"
    assert {job_id, own_id} <= {job["id"] for job in boss.jobs()}
    assert boss.job(job_id)["principal"] == "other"


def test_admin_for_certain_dags_does_not_see_the_jobs_of_others(holder: Any, database: None) -> None:
    remote = holder("admin", DAGS)
    job_id = remote.holding("open sesame")("version").json["job"]["id"]
    assert remote(f"jobs/{job_id}").status_code == 404


def test_glob_matches_whole_name_and_case() -> None:
    assert matches_any(["dags trigger"], ["dags *"])
    assert not matches_any(["dags trigger"], ["dags"])
    assert not matches_any(["dags trigger"], ["DAGS *"])
