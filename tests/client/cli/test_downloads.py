"""Files of live commands: uploads, and files that a command writes on the server."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Protocol

import pytest

from airflow_remote.client import Client
from airflow_remote.errors import NotTheApiError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.models import is_safe_path
from client.files import file_names
from client.program import PATIENCE, Run, Start
from client.responses import envelope, file_entries, job, json_response
from client.stub import FakeJob, Stub

CONTENT = '{"a": "é"}\r\n'.encode()


@pytest.fixture
def live(live: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Return the stub server with live commands, and change to an empty directory."""
    monkeypatch.chdir(tmp_path)
    return live


class WriteFiles(Protocol):
    """The fixture ``write_files``: let the next commands write these files.

    :param files: contents by name, with ``_`` for ``.`` and ``__`` for ``/``
    :return: the commands' job
    """

    def __call__(self, **files: bytes) -> FakeJob: ...


@pytest.fixture
def write_files(live: Stub) -> WriteFiles:
    """Return a function that lets the next commands write files."""

    def write_files(**files: bytes) -> FakeJob:
        contents = {name.replace("__", "/").replace("_", "."): data for name, data in files.items()}
        live.job = FakeJob(files=contents)
        live.respond(
            envelope(output="", stdout="", stderr="1 exported\n", job=job(), files=file_entries(contents))
        )
        return live.job

    return write_files


# Uploads.


def test_input_file_is_uploaded(run: Run, live: Stub, tmp_path: Path) -> None:
    (tmp_path / "vars.json").write_bytes(CONTENT)
    completed = run("variables", "import", "./vars.json", "-a", "skip")
    assert (completed.status, completed.err) == (0, "")
    assert live.request.path.endswith("/commands/variables/import")
    assert live.request.arguments == {"action_on_existing_key": "skip"}
    assert live.request.files == {"file": ("vars.json", CONTENT)}


@pytest.mark.parametrize("name", ["missing.json", "-", ""])
def test_missing_input_file_sends_no_request(run: Run, live: Stub, name: str) -> None:
    completed = run("variables", "import", name)
    assert (completed.status, live.requests) == (ExitStatus.USAGE, [])
    assert ("standard input is /dev/stdin" in completed.message()) == (name == "-")


def test_standard_input_can_be_uploaded(stub: Stub, start: Start, live: Stub) -> None:
    process = start("--url", stub.url, "variables", "import", "/dev/stdin", stdin=-1)
    assert process.communicate(b'{"a": 1}', timeout=PATIENCE)[1] == b""
    assert live.request.files == {"file": ("stdin", b'{"a": 1}')}


# Downloads.


def test_output_file_is_downloaded_and_only_its_base_name_is_sent(
    run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    write_files(out_json=CONTENT)
    completed = run("variables", "export", "./sub/../sub/out.json")
    assert (completed.status, completed.out, completed.err) == (0, "", "1 exported\n")
    assert live.requests[0].arguments == {"file": "out.json"}
    assert (tmp_path / "sub" / "out.json").read_bytes() == CONTENT
    assert file_names(tmp_path) == ["sub/out.json"]


def test_dash_is_standard_output(run: Run, live: Stub, tmp_path: Path) -> None:
    completed = run("variables", "export", "-")
    assert (completed.status, completed.out) == (0, "1.7.0\n")
    assert live.request.arguments == {"file": "-"}
    assert file_names(tmp_path) == []


def test_file_renamed_by_the_server_is_downloaded(
    run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path
) -> None:
    write_files(out_e_json=CONTENT)
    assert run("variables", "export", "out é.json").status == 0
    assert live.requests[0].arguments == {"file": "out é.json"}
    assert (tmp_path / "out é.json").read_bytes() == CONTENT


def test_json_option_still_writes_the_file(
    run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path
) -> None:
    write_files(out_json=CONTENT)
    completed = run("--json", "variables", "export", "out.json")
    assert json.loads(completed.out)["files"][0]["name"] == "out.json"
    assert (tmp_path / "out.json").read_bytes() == CONTENT


def test_replaced_file_keeps_its_mode(run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("old")
    (tmp_path / "out.json").chmod(0o600)
    write_files(out_json=CONTENT)
    assert run("variables", "export", "out.json").status == 0
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600
    assert (tmp_path / "out.json").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["missing/out.json", ".", "", "/dev"])
def test_unwritable_output_file_sends_no_request(run: Run, live: Stub, name: str) -> None:
    completed = run("variables", "export", name)
    assert (completed.status, live.requests) == (ExitStatus.LOCAL_FILE, [])
    assert "cannot write" in completed.message()


def test_failed_command_leaves_the_file_unchanged(run: Run, live: Stub, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("old")
    live.respond(envelope(status="ERROR", output="no", stdout="", stderr="no\n", exit_code=1), 422)
    completed = run("variables", "export", "out.json")
    assert (completed.status, completed.err) == (1, "no\n")
    assert (tmp_path / "out.json").read_text() == "old"
    assert file_names(tmp_path) == ["out.json"]


def test_unwritten_output_file_is_reported(run: Run, live: Stub, tmp_path: Path) -> None:
    for more in ({}, {"job": job()}, {"job": job(), "files": []}, {"files": file_entries({"out.json": b""})}):
        live.respond(envelope(stdout="", **more))
        completed = run("variables", "export", "out.json")
        assert completed.status == ExitStatus.LOCAL_FILE
        assert completed.message() == "cannot write 'out.json': the command did not write it"
    assert file_names(tmp_path) == []


@pytest.mark.parametrize("sent", [b"", CONTENT[:-1], CONTENT + b"x"], ids=["nothing", "less", "more"])
def test_incomplete_download_leaves_no_file(
    run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path, sent: bytes
) -> None:
    fake_job = write_files(out_json=CONTENT)
    fake_job.files["out.json"] = sent
    completed = run("variables", "export", "out.json")
    assert completed.status == ExitStatus.UNREACHABLE
    assert "did not send all of the 13 bytes" in completed.err
    assert file_names(tmp_path) == []


def test_lost_download_is_retried(run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path) -> None:
    fake_job = write_files(out_json=CONTENT)
    fake_job.failures = [None, None]
    completed = run("variables", "export", "out.json")
    assert completed.status == 0
    assert completed.err.endswith("; trying again\n")
    assert (tmp_path / "out.json").read_bytes() == CONTENT


def test_file_of_a_followed_command_is_downloaded(run: Run, live: Stub, tmp_path: Path) -> None:
    live.job = FakeJob(b"", b"1 exported\n", files={"out.json": CONTENT}, silent_polls=2)
    live.respond(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202)
    completed = run("variables", "export", "out.json")
    assert (completed.status, completed.out, completed.err) == (0, "", "1 exported\n")
    assert (tmp_path / "out.json").read_bytes() == CONTENT


@pytest.mark.parametrize("line", [["-o", "yamls"], ["--output-path", "./a/yamls"], []], ids=str)
def test_output_directory_gets_all_files(
    run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path, line: list[str]
) -> None:
    write_files(a__b_yml=b"1", c_yml=b"22")
    assert run("kubernetes", "generate-dag-yaml", "d", *line).status == 0
    assert live.requests[0].arguments == {"dag_id": "d", **({"output_path": "yamls"} if line else {})}
    directory = tmp_path / (line[1] if line else ".")
    assert (directory / "a" / "b.yml").read_bytes() == b"1"
    assert (directory / "c.yml").read_bytes() == b"22"
    assert len(file_names(tmp_path)) == 2


def test_invalid_output_directory_sends_no_request(run: Run, live: Stub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in ("file", "file/x"):
        completed = run("kubernetes", "generate-dag-yaml", "d", "-o", path)
        assert (completed.status, live.requests) == (ExitStatus.LOCAL_FILE, [])
        assert f"cannot write into '{path}'" in completed.message()


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", "", "a/", ".", "x\n", "a\\b", "\0"])
def test_unsafe_file_name_is_rejected(run: Run, live: Stub, tmp_path: Path, name: str) -> None:
    assert not is_safe_path(name)
    entries = [{"name": name, "size": 1, "url": "/x"}, {"name": "good", "size": 1, "url": "/y"}]
    live.job = FakeJob(files={name: b"1", "good": b"1"})
    live.respond(envelope(job=job(), files=entries))
    completed = run("kubernetes", "generate-dag-yaml", "d", "-o", "sub")
    assert completed.status == ExitStatus.NOT_THE_API
    assert "an unsafe name" in completed.err
    assert file_names(tmp_path) == []


@pytest.mark.parametrize(
    "files", ["x", [1], [{"name": "x"}], [{"name": 1, "size": 1}], [{"name": "x", "size": -1}]], ids=str
)
def test_invalid_file_list_is_rejected(stub: Stub, files: str | list[int] | list[dict[str, Any]]) -> None:
    stub.respond(envelope(files=files, job=job()))
    with pytest.raises(NotTheApiError, match="unknown format"):
        _ = Client(stub.url).run("version").files


def test_symbolic_link_cannot_redirect_a_download(
    run: Run, live: Stub, write_files: WriteFiles, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").symlink_to("../outside")
    (tmp_path / "sub" / "c.yml").symlink_to("../outside/c.yml")
    for files in ({"a__b_yml": b"1"}, {"c_yml": b"1"}):
        write_files(**files)
        completed = run("kubernetes", "generate-dag-yaml", "d", "-o", "sub")
        assert completed.status == ExitStatus.LOCAL_FILE
        assert "a symbolic link leads out of the directory" in completed.err
    assert file_names(tmp_path / "outside") == []


def test_removed_file_is_reported(run: Run, live: Stub, write_files: WriteFiles) -> None:
    fake_job = write_files(out_json=CONTENT)
    fake_job.files.clear()
    completed = run("variables", "export", "out.json")
    assert completed.status == ExitStatus.USAGE
    assert completed.err.endswith("airflow-remote: no such file\n")


def test_response_that_is_not_a_file_is_rejected(run: Run, live: Stub, write_files: WriteFiles) -> None:
    fake_job = write_files(out_json=CONTENT)
    fake_job.failures = [json_response({"a": "é"})]
    assert run("variables", "export", "out.json").status == ExitStatus.NOT_THE_API
