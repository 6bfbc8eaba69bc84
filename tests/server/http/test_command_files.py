"""Test the files that live commands read and write."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from remote import Remote


def test_files_are_uploaded_and_downloaded(remote: Remote, run: Any) -> None:
    content = json.dumps({"from a file": "its value"}).encode()
    response = remote(
        "commands/variables/import",
        "POST",
        data={"file": (io.BytesIO(content), "../../my vars.json"), "action_on_existing_key": "overwrite"},
    )
    assert response.status_code == 200, response.text
    response = run("variables export", file="../out/all of it.json")
    assert response.status_code == 200, response.text
    [file] = response.json["files"]
    assert file["name"] == "all_of_it.json"
    assert "variables export -- ../out/all of it.json" in response.json["airflow_cmd"].replace("'", "")
    assert response.json["stdout"].strip().endswith("all_of_it.json.")
    assert "/jobs/" not in response.json["stdout"]
    job_id = response.json["job"]["id"]
    assert file["url"] == f"/admin/rest_api/api/v1.0/jobs/{job_id}/files/all_of_it.json"
    got = remote(f"jobs/{job_id}/files/all_of_it.json")
    assert json.loads(got.data)["from a file"] == "its value"
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "Date" not in got.headers
    assert len(got.data) == file["size"]
    got.close()
    assert remote.job(job_id)["files"] == response.json["files"]


@pytest.mark.parametrize("name", [".json", "变量.json", "../конфиг.json", "a" * 300 + ".json"])
def test_unsafe_file_name_keeps_its_suffix(remote: Remote, run: Any, name: str) -> None:
    """Airflow derives the format of a file from its suffix."""
    response = remote(
        "commands/variables/import", "POST", data={"file": (io.BytesIO(b'{"by suffix": "v"}'), name)}
    )
    assert response.status_code == 200, response.text
    response = run("connections export", file=name)
    assert response.status_code == 200, response.text
    [file] = response.json["files"]
    assert file["name"].isascii()
    assert file["name"].endswith(".json")


def test_dash_as_file_name_is_stdout(run: Any) -> None:
    assert run("variables set", key="dashed", value="v").status_code == 200
    response = run("variables export", file="-")
    assert '"dashed": "v"' in response.json["stdout"]
    assert "files" not in response.json


@pytest.mark.parametrize(
    "name", ["..%2f..%2fjob.json", "../job.json", "/etc/passwd", "%2e%2e/stdout", "out.json/", "nothing"]
)
def test_file_names_cannot_leave_job_folder(remote: Remote, run: Any, name: str) -> None:
    job_id = run("variables export", file="out.json").json["job"]["id"]
    response = remote(f"jobs/{job_id}/files/{name}", follow_redirects=True)  # to a path without dot segments
    assert (response.status_code, response.json["status"]) == (404, "ERROR")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"bad\xff\nname", "bad%FF%0Aname"),
        (b"bad%FF%0Aname", "bad%25FF%250Aname"),
        (b'sub\xc3\x28/"quoted" 100%.txt', 'sub%C3(/"quoted" 100%.txt'),
    ],
)
def test_file_whose_name_is_not_text_is_served(
    remote: Remote, run: Any, shared_state: Path, name: bytes, shown: str
) -> None:
    job_id = run("variables export", file="out.json").json["job"]["id"]
    path = Path(shared_state, "jobs", job_id, "files", os.fsdecode(name))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(name)
    [file] = [file for file in remote.job(job_id)["files"] if file["name"] != "out.json"]
    assert file["name"] == shown
    got = remote(file["url"].removeprefix("/admin/rest_api/api/v1.0/"))
    assert (got.status_code, got.data) == (200, name)
    assert "\n" not in got.headers["Content-Disposition"]
    again = remote(
        file["url"].removeprefix("/admin/rest_api/api/v1.0/"), **{"IF-NONE-MATCH": got.headers["ETag"]}
    )
    assert again.status_code == 304
    for response in (got, again):
        response.close()


def test_symlinks_are_not_served(remote: Remote, run: Any, shared_state: Path) -> None:
    job_id = run("variables export", file="out.json").json["job"]["id"]
    (shared_state / "jobs" / job_id / "files" / "link.json").symlink_to("/etc/passwd")
    assert [file["name"] for file in remote.job(job_id)["files"]] == ["out.json"]
    assert remote(f"jobs/{job_id}/files/link.json").status_code == 404


def test_output_folder_is_in_job_folder(remote: Remote, run: Any, home: Path) -> None:
    with sqlite3.connect(home / "airflow.db") as database:
        table = "_airflow_deleted__job__20240102030405"
        database.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT 1 AS one, 'two' AS two")
    response = run("db export-archived", output_path="/nowhere/at/all", export_format="csv")
    assert response.status_code == 200, response.text
    [file] = response.json["files"]
    got = remote(file["url"].removeprefix("/admin/rest_api/api/v1.0/"))
    assert got.data.splitlines() == [b"one,two", b"1,two"]
    got.close()


def test_files_count_as_output(make_remote: Any, shared_state: Path, run: Any) -> None:
    assert run("variables set", key="large", value="x" * 100_000).status_code == 200
    remote = make_remote(state_dir=shared_state, max_output_bytes=50_000)
    response = remote("commands/variables/export", "POST", json={"file": "out.json"})
    assert response.status_code == 422, response.text
    assert "max_output_bytes" in response.json["output"]
    assert run("variables delete", key="large").status_code == 200
