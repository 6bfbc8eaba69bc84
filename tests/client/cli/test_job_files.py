"""Files that the command of a job has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_remote.client import Client
from airflow_remote.errors import LocalFileError, UnusableError
from airflow_remote.models import RemoteFile
from client.files import file_names
from client.program import Run
from client.responses import JOB_ID, envelope, file_entries, job
from client.stub import FakeJob, Stub


def test_detached_command_names_the_download_command(
    run: Run, live: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    live.respond(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202)
    completed = run("--detach", "variables", "export", "out.json")
    assert (completed.status, completed.out) == (0, f"{JOB_ID}\n")
    assert f"airflow-remote job download {JOB_ID}" in completed.err
    assert file_names(tmp_path) == []
    assert run("--detach", "variables", "list").err == ""


def test_files_of_a_job_are_listed(run: Run, live: Stub) -> None:
    live.job = FakeJob(files={"a/b.yml": b"1", "c.yml": b"22"})
    assert run("job", "files", JOB_ID).out == "SIZE  NAME\n1     a/b.yml\n2     c.yml\n"
    expected = {"files": [{"name": "a/b.yml", "size": 1}, {"name": "c.yml", "size": 2}]}
    assert json.loads(run("job", "files", JOB_ID, "-o", "json").out) == expected
    live.job = FakeJob()
    assert run("job", "files", JOB_ID).out == "SIZE  NAME\n"


def test_files_of_a_job_are_downloaded(
    run: Run, live: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    live.job = FakeJob(files={"a/b.yml": b"1", "c.yml": b"22"})
    completed = run("job", "download", JOB_ID, "--to", "new/folder")
    assert (completed.status, completed.out, completed.err) == (0, "a/b.yml\nc.yml\n", "")
    assert file_names(tmp_path) == ["new/folder/a/b.yml", "new/folder/c.yml"]
    assert run("job", "download", JOB_ID).status == 0
    assert (tmp_path / "c.yml").read_bytes() == b"22"


def test_job_wait_names_the_download_command(run: Run, live: Stub) -> None:
    live.job = FakeJob(b"out\n", files={"c.yml": b"22"})
    completed = run("job", "wait", JOB_ID)
    assert (completed.status, completed.out) == (0, "out\n")
    assert completed.err == f"airflow-remote: the job wrote 1 file(s): airflow-remote job download {JOB_ID}\n"


def test_python_api_downloads_files(live: Stub, tmp_path: Path) -> None:
    live.job = FakeJob(files={"c.yml": b"22"})
    live.respond(envelope(job=job(), files=file_entries(live.job.files)))
    client = Client(live.url)
    result = client.run("kubernetes generate-dag-yaml", dag_id="d")
    assert result.files == [RemoteFile("c.yml", 2)]
    job_of_result = client.job_of(result)
    assert job_of_result is not None
    job_of_result.download("c.yml", tmp_path / "here.yml")
    assert (tmp_path / "here.yml").read_bytes() == b"22"
    with pytest.raises(UnusableError, match="has no file"):
        client.job(JOB_ID).download("d.yml", tmp_path / "x")
    with pytest.raises(LocalFileError):
        client.job(JOB_ID).download("c.yml", tmp_path)
