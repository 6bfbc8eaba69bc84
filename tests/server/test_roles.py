"""What a token may do, over HTTP: roles, DAGs, and whose jobs are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote import entry, secret_of

from airflow_remote_server.catalogue.classic import Classic
from airflow_remote_server.catalogue.traits import traits
from airflow_remote_server.roles import VIEWER, Permit, matches

if TYPE_CHECKING:
    from remote import Remote

RELEASE = '[role.release]\nbase = "operator"\ncommands = ["pools *", "variables *", "variables get"]\n'
RELEASE += 'deny = ["tasks run", "trigger_dag"]\n'
DAGS = 'dags = ["etl_*"]\n'


def refusal(remote: Remote, command: str, arguments: dict[str, Any]) -> str:
    """What refuses a command; "" when nothing does that has to do with who asks."""
    path = f"commands/{command.replace(' ', '/')}" if " " in command else command
    response = remote(path, "POST", json=arguments)
    if response.status_code != 403:
        return ""
    assert response.json["error"]["type"] == "Refused"
    assert "job" not in response.json
    return str(response.json["output"])


# What would be run has something wrong in its arguments: it is enough to see that it comes so far.
WRONG = {"no_such_argument": 1}


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
        ("release", "variables list", "role"),  # a glob does not name it
        ("release", "tasks test", ""),
        ("release", "trigger_dag", "role"),
        ("release", "dags trigger", "role"),  # the same by its other name
        ("release", "connections get", "role"),
    ],
)
def test_a_role_runs_what_it_may(holder: Any, role: str, command: str, layer: str) -> None:
    said = refusal(holder(role, roles=RELEASE), command, WRONG)
    assert f"efused by the {layer}" in said if layer else said == ""


def test_a_role_is_looked_at_before_arguments_are(holder: Any) -> None:
    """CVE-2024-23897: a CLI server that expanded arguments before it asked who may."""
    remote = holder("viewer")
    for path in ("/etc/passwd", "@/etc/passwd"):
        assert "role" in refusal(remote, "dags trigger", {"dag_id": path, "subdir": path, "conf": path})


def test_a_denied_command_is_denied_by_its_command_too(holder: Any) -> None:
    remote = holder("mine", roles='[role.mine]\nbase = "admin"\ndeny = ["variables *"]\n')
    assert "role" in refusal(remote, "variables get", WRONG)
    assert "role" in refusal(remote, "variables", {"get": "x"})
    assert refusal(remote, "connections get", WRONG) == ""


def test_a_token_narrows_its_role(holder: Any) -> None:
    remote = holder("operator", 'commands = ["dags *", "pools *"]\n')
    assert refusal(remote, "dags trigger", WRONG) == ""
    assert refusal(remote, "trigger_dag", WRONG) == ""
    assert "by the token" in refusal(remote, "tasks test", WRONG)
    assert "by the role" in refusal(remote, "pools set", WRONG), "a token adds nothing to its role"


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
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
def test_a_token_for_some_dags_reaches_no_other(
    holder: Any, role: str, command: str, arguments: dict[str, Any], said: str
) -> None:
    refused = refusal(holder(role, DAGS), command, arguments)
    assert "Refused by the token's DAGs" in refused
    assert said in refused


def test_a_token_for_some_dags_says_not_where_they_are_read_from(holder: Any, major: int) -> None:
    where: dict[str, Any] = {"subdir": "."} if major < 3 else {"bundle_name": ["dags-folder"]}
    said = refusal(holder("operator", DAGS), "tasks list", {"dag_id": "etl_x", **where})
    assert next(iter(where)) in said


def test_a_token_for_some_dags_reaches_these(holder: Any, database: None) -> None:
    remote = holder("operator", DAGS)
    response = remote("commands/dags/details", "POST", json={"dag_id": "etl_x"})
    assert response.status_code in (404, 422), "it is run, and there is none"
    assert remote("version").status_code == 200
    assert remote("rest_api_plugin_version").status_code == 200


def test_what_deploys_is_refused_to_a_token_for_some_dags(holder: Any) -> None:
    assert "cannot be confined" in refusal(holder("admin", DAGS), "deploy_dag", {})


@given(st.text(max_size=20), st.text(max_size=5))
def test_no_id_of_a_dag_leads_to_another(dag_id: str, prefix: str) -> None:
    permit = Permit(VIEWER, dags=("etl_*", "one"))
    assert permit.reaches(dag_id) == (dag_id.startswith("etl_") or dag_id == "one")
    assert permit.reaches(f"{prefix}etl_x") == (prefix == "" or prefix.startswith("etl_"))


def test_a_viewer_may_run_only_what_changes_nothing_and_shows_no_secret(holder: Any) -> None:
    remote = holder("viewer")
    listed = remote("commands").json["commands"]
    assert {"version", "dags list", "tasks list", "pools list"} <= {command["name"] for command in listed}
    for command in listed:
        assert command["read_only"]
        assert not command["prints_secrets"]
        assert refusal(remote, command["name"], WRONG) == ""


def test_no_classic_endpoint_lets_a_viewer_change_anything(major: int) -> None:
    permit = Permit(VIEWER)
    for endpoint in Classic(major).endpoints().values():
        for form in endpoint.forms:
            if not permit.refusal(form, endpoint.name)[1]:
                assert form.read_only, endpoint.name
                assert not traits(" ".join(form.command)).prints_secrets


def test_the_catalogue_tells_a_token_only_what_it_may_run(holder: Any) -> None:
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
    assert remote("commands/dags/trigger", "POST").headers["Airflow-Remote-Catalogue"] == etag


def test_who_asks_is_told_what_it_may_do(holder: Any) -> None:
    said = holder("operator", DAGS + "expires = 2999-01-01T00:00:00Z\n")("whoami").json
    assert (said["name"], said["role"], said["dags"]) == ("ci", "operator", ["etl_*"])
    assert said["expires"] == "2999-01-01T00:00:00.000+00:00"
    assert said["unrestricted"] is False
    assert {"dags trigger", "tasks clear", "version"} <= set(said["commands"])
    assert not {"pools list", "variables get", "db reset"} & set(said["commands"])
    assert "trigger_dag" in said["endpoints"]
    assert "deploy_dag" not in said["endpoints"]


def test_the_token_of_airflow_cfg_may_do_everything(remote: Remote) -> None:
    said = remote("whoami").json
    assert (said["name"], said["role"], said["unrestricted"]) == ("token", "admin", True)
    assert (said["dags"], said["expires"]) == (None, None)
    assert "variables get" in said["commands"]


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
def test_it_can_be_asked_whether_something_is_allowed(
    holder: Any, words: str, allowed: bool, layer: str
) -> None:
    said = holder("operator", DAGS)("whoami", query_string={"can": words}).json["can"]
    assert (said["allowed"], said["layer"]) == (allowed, layer)
    assert bool(said["reason"]) != allowed


@pytest.mark.parametrize(
    ("words", "status"), [("dags triger", 404), ("", 404), ("version x", 400), ("dags trigger a b", 400)]
)
def test_what_is_no_command_cannot_be_asked_for(holder: Any, words: str, status: int) -> None:
    response = holder("viewer")("whoami", query_string={"can": words})
    assert response.status_code == status, response.text


def test_who_is_no_admin_knows_of_its_own_jobs_only(holder: Any, tokens_file: Any, database: None) -> None:
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


def test_an_admin_for_some_dags_is_none_for_jobs(holder: Any, database: None) -> None:
    remote = holder("admin", DAGS)
    job_id = remote.holding("open sesame")("version").json["job"]["id"]
    assert remote(f"jobs/{job_id}").status_code == 404


def test_a_glob_is_about_the_whole_name_and_its_case() -> None:
    assert matches(["dags *"], ["dags trigger"])
    assert not matches(["dags"], ["dags trigger"])
    assert not matches(["DAGS *"], ["dags trigger"])
