"""Files of live commands: those that are sent, and those that the command writes on the server."""

from __future__ import annotations

import json
import stat

import pytest
from contract import commands
from stub import JOB_ID, FakeJob, answered, envelope, files_of, job

from airflow_remote.client import Client
from airflow_remote.errors import LocalFileError, NotTheApiError, UnusableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.remote_files import RemoteFile, confined

CONTENT = '{"a": "é"}\r\n'.encode()


@pytest.fixture
def live(stub, run, tmp_path, monkeypatch):
    """A server with live commands, and a folder to be in."""
    stub.catalogue = commands()
    run("--help")
    monkeypatch.chdir(tmp_path)
    return stub


@pytest.fixture
def writes(live):
    """Let the next commands write these files."""

    def writes(**files):
        named = {name.replace("__", "/").replace("_", "."): data for name, data in files.items()}
        live.job = FakeJob(files=named)
        live.answer(envelope(output="", stdout="", stderr="1 exported\n", job=job(), files=files_of(named)))

    return writes


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


# Files that are sent.


def test_a_file_to_read_is_sent(run, live, tmp_path):
    (tmp_path / "vars.json").write_bytes(CONTENT)
    ended = run("variables", "import", "./vars.json", "-a", "skip")
    assert (ended.status, ended.err) == (0, "")
    assert live.request.path.endswith("/commands/variables/import")
    assert live.request.arguments == {"action_on_existing_key": "skip"}
    assert live.request.files == {"file": ("vars.json", CONTENT)}


@pytest.mark.parametrize("name", ["missing.json", "-", ""])
def test_a_file_that_is_not_there_is_told_before_anything_is_sent(run, live, name):
    ended = run("variables", "import", name)
    assert (ended.status, live.requests) == (ExitStatus.USAGE, [])
    assert ("standard input is /dev/stdin" in ended.says()) == (name == "-")


def test_standard_input_can_be_sent(stub, start, live):
    process = start("--url", stub.url, "variables", "import", "/dev/stdin", stdin=-1)
    assert process.communicate(b'{"a": 1}', timeout=30)[1] == b""
    assert live.request.files == {"file": ("stdin", b'{"a": 1}')}


# Files that the command writes.


def test_a_file_to_write_is_fetched_and_its_base_name_is_all_that_is_sent(run, live, writes, tmp_path):
    (tmp_path / "sub").mkdir()
    writes(out_json=CONTENT)
    ended = run("variables", "export", "./sub/../sub/out.json")
    assert (ended.status, ended.out, ended.err) == (0, "", "1 exported\n")
    assert live.requests[0].arguments == {"file": "out.json"}
    assert (tmp_path / "sub" / "out.json").read_bytes() == CONTENT
    assert names(tmp_path) == ["sub/out.json"]


def test_a_dash_stays_standard_output(run, live, tmp_path):
    ended = run("variables", "export", "-")
    assert (ended.status, ended.out) == (0, "1.7.0\n")
    assert live.request.arguments == {"file": "-"}
    assert names(tmp_path) == []


def test_a_file_whose_name_the_server_does_not_take_as_it_is_comes_all_the_same(run, live, writes, tmp_path):
    writes(out_e_json=CONTENT)
    assert run("variables", "export", "out é.json").status == 0
    assert live.requests[0].arguments == {"file": "out é.json"}
    assert (tmp_path / "out é.json").read_bytes() == CONTENT


def test_with_json_the_file_is_written_all_the_same(run, live, writes, tmp_path):
    writes(out_json=CONTENT)
    ended = run("--json", "variables", "export", "out.json")
    assert json.loads(ended.out)["files"][0]["name"] == "out.json"
    assert (tmp_path / "out.json").read_bytes() == CONTENT


def test_a_file_that_is_there_keeps_its_mode_and_is_replaced_at_once(run, live, writes, tmp_path):
    (tmp_path / "out.json").write_text("old")
    (tmp_path / "out.json").chmod(0o600)
    writes(out_json=CONTENT)
    assert run("variables", "export", "out.json").status == 0
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600
    assert (tmp_path / "out.json").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["missing/out.json", ".", "", "/dev"])
def test_a_file_that_cannot_be_written_is_found_before_anything_is_sent(run, live, name):
    ended = run("variables", "export", name)
    assert (ended.status, live.requests) == (ExitStatus.LOCAL_FILE, [])
    assert "cannot write" in ended.says()


def test_a_command_that_fails_leaves_the_file_as_it_was(run, live, tmp_path):
    (tmp_path / "out.json").write_text("old")
    live.answer(envelope(status="ERROR", output="no", stdout="", stderr="no\n", exit_code=1), 422)
    ended = run("variables", "export", "out.json")
    assert (ended.status, ended.err) == (1, "no\n")
    assert (tmp_path / "out.json").read_text() == "old"
    assert names(tmp_path) == ["out.json"]


def test_a_file_that_the_command_has_not_written_is_missed(run, live, tmp_path):
    for more in ({}, {"job": job()}, {"job": job(), "files": []}, {"files": files_of({"out.json": b""})}):
        live.answer(envelope(stdout="", **more))
        ended = run("variables", "export", "out.json")
        assert ended.status == ExitStatus.LOCAL_FILE
        assert ended.says() == "cannot write 'out.json': the command has not written it"
    assert names(tmp_path) == []


@pytest.mark.parametrize("sent", [b"", CONTENT[:-1], CONTENT + b"x"], ids=["nothing", "less", "more"])
def test_a_file_that_does_not_come_whole_does_not_come_at_all(run, live, writes, tmp_path, sent):
    writes(out_json=CONTENT)
    live.job.files["out.json"] = sent
    ended = run("variables", "export", "out.json")
    assert ended.status == ExitStatus.UNREACHABLE
    assert "did not send all of the 13 bytes" in ended.err
    assert names(tmp_path) == []


def test_a_connection_that_is_lost_meanwhile_is_tried_again(run, live, writes, tmp_path):
    writes(out_json=CONTENT)
    live.job.failures = [None, None]
    ended = run("variables", "export", "out.json")
    assert ended.status == 0
    assert ended.err.endswith("; trying again\n")
    assert (tmp_path / "out.json").read_bytes() == CONTENT


def test_a_command_that_outlasts_the_request_is_followed_and_its_file_fetched(run, live, tmp_path):
    live.job = FakeJob(b"", b"1 exported\n", files={"out.json": CONTENT}, silent=2)
    live.answer(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202)
    ended = run("variables", "export", "out.json")
    assert (ended.status, ended.out, ended.err) == (0, "", "1 exported\n")
    assert (tmp_path / "out.json").read_bytes() == CONTENT


@pytest.mark.parametrize("line", [["-o", "yamls"], ["--output-path", "./a/yamls"], []], ids=str)
def test_a_folder_gets_all_files_below_it(run, live, writes, tmp_path, line):
    writes(a__b_yml=b"1", c_yml=b"22")
    assert run("kubernetes", "generate-dag-yaml", "d", *line).status == 0
    assert live.requests[0].arguments == {"dag_id": "d", **({"output_path": "yamls"} if line else {})}
    folder = tmp_path / (line[1] if line else ".")
    assert (folder / "a" / "b.yml").read_bytes() == b"1"
    assert (folder / "c.yml").read_bytes() == b"22"
    assert len(names(tmp_path)) == 2


def test_a_folder_that_is_none_is_found_before_anything_is_sent(run, live, tmp_path):
    (tmp_path / "file").write_text("")
    for path in ("file", "file/x"):
        ended = run("kubernetes", "generate-dag-yaml", "d", "-o", path)
        assert (ended.status, live.requests) == (ExitStatus.LOCAL_FILE, [])
        assert f"cannot write into '{path}'" in ended.says()


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", "", "a/", ".", "x\n", "a\\b", "\0"])
def test_a_name_that_could_lead_elsewhere_is_refused(run, live, tmp_path, name):
    assert not confined(name)
    told = [{"name": name, "size": 1, "url": "/x"}, {"name": "good", "size": 1, "url": "/y"}]
    live.job = FakeJob(files={name: b"1", "good": b"1"})
    live.answer(envelope(job=job(), files=told))
    ended = run("kubernetes", "generate-dag-yaml", "d", "-o", "sub")
    assert ended.status == ExitStatus.NOT_THE_API
    assert "which is no name for one here" in ended.err
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "said", ["x", [1], [{"name": "x"}], [{"name": 1, "size": 1}], [{"name": "x", "size": -1}]], ids=str
)
def test_files_that_are_told_in_another_way_are_not_the_api_s(stub, said):
    stub.answer(envelope(files=said, job=job()))
    with pytest.raises(NotTheApiError, match="cannot be understood"):
        _ = Client(stub.url).run("version").files


def test_a_link_in_the_folder_leads_no_file_out_of_it(run, live, writes, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").symlink_to("../outside")
    (tmp_path / "sub" / "c.yml").symlink_to("../outside/c.yml")
    for files in ({"a__b_yml": b"1"}, {"c_yml": b"1"}):
        writes(**files)
        ended = run("kubernetes", "generate-dag-yaml", "d", "-o", "sub")
        assert ended.status == ExitStatus.LOCAL_FILE
        assert "a link there leads elsewhere" in ended.err
    assert names(tmp_path / "outside") == []


# Jobs.


def test_detached_it_says_how_the_files_are_fetched(run, live, tmp_path):
    live.answer(envelope(output="runs", stdout=None, exit_code=None, job=job()), 202)
    ended = run("--detach", "variables", "export", "out.json")
    assert (ended.status, ended.out) == (0, f"{JOB_ID}\n")
    assert f"airflow-remote job download {JOB_ID}" in ended.err
    assert names(tmp_path) == []
    assert run("--detach", "variables", "list").err == ""


def test_the_files_of_a_job_are_listed(run, live):
    live.job = FakeJob(files={"a/b.yml": b"1", "c.yml": b"22"})
    assert run("job", "files", JOB_ID).out == "SIZE  NAME\n1     a/b.yml\n2     c.yml\n"
    expected = {"files": [{"name": "a/b.yml", "size": 1}, {"name": "c.yml", "size": 2}]}
    assert json.loads(run("job", "files", JOB_ID, "-o", "json").out) == expected
    live.job = FakeJob()
    assert run("job", "files", JOB_ID).out == "SIZE  NAME\n"


def test_the_files_of_a_job_are_fetched(run, live, tmp_path):
    live.job = FakeJob(files={"a/b.yml": b"1", "c.yml": b"22"})
    ended = run("job", "download", JOB_ID, "--to", "new/folder")
    assert (ended.status, ended.out, ended.err) == (0, "a/b.yml\nc.yml\n", "")
    assert names(tmp_path) == ["new/folder/a/b.yml", "new/folder/c.yml"]
    assert run("job", "download", JOB_ID).status == 0
    assert (tmp_path / "c.yml").read_bytes() == b"22"


def test_waiting_for_a_job_tells_of_its_files(run, live):
    live.job = FakeJob(b"out\n", files={"c.yml": b"22"})
    ended = run("job", "wait", JOB_ID)
    assert (ended.status, ended.out) == (0, "out\n")
    assert ended.err == f"airflow-remote: it has written 1 file(s): airflow-remote job download {JOB_ID}\n"


def test_the_python_api_has_the_files(live, tmp_path):
    live.job = FakeJob(files={"c.yml": b"22"})
    live.answer(envelope(job=job(), files=files_of(live.job.files)))
    client = Client(live.url)
    result = client.run("kubernetes generate-dag-yaml", dag_id="d")
    assert result.files == [RemoteFile("c.yml", 2)]
    client.job_of(result).download("c.yml", tmp_path / "here.yml")
    assert (tmp_path / "here.yml").read_bytes() == b"22"
    with pytest.raises(UnusableError, match="has no file"):
        client.job(JOB_ID).download("d.yml", tmp_path / "x")
    with pytest.raises(LocalFileError):
        client.job(JOB_ID).download("c.yml", tmp_path)


def test_a_file_that_is_gone_meanwhile_is_told(run, live, writes):
    writes(out_json=CONTENT)
    live.job.files.clear()
    ended = run("variables", "export", "out.json")
    assert ended.status == ExitStatus.USAGE
    assert ended.err.endswith("airflow-remote: no such file\n")


def test_something_else_than_a_file_is_not_taken_for_one(run, live, writes):
    writes(out_json=CONTENT)
    live.job.failures = [answered({"a": "é"})]
    assert run("variables", "export", "out.json").status == ExitStatus.NOT_THE_API
