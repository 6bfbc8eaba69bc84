from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from conftest import call
from stub import envelope

from airflow_remote.client import Client
from airflow_remote.errors import LocalFileError, UnusableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.files import BLOCK_BYTES, Export, Upload


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Files that are sent.


def test_a_large_file_is_sent_in_blocks_with_its_length(stub, tmp_path):
    path = tmp_path / "vars.json"
    path.write_bytes(os.urandom(3 * BLOCK_BYTES + 7))
    Client(stub.url).run("variables", cmd="import", file=path)
    assert stub.request.files == {"file": ("vars.json", path.read_bytes())}
    assert int(stub.request.headers["content-length"]) > path.stat().st_size
    assert "transfer-encoding" not in stub.request.headers


def test_a_pipe_is_sent_whole(stub, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=[b'{"a": 1}'])
    writer.start()
    Client(stub.url).run("variables", cmd="import", file=fifo)
    writer.join()
    assert stub.request.files == {"file": ("fifo", b'{"a": 1}')}


def test_a_file_that_does_not_know_its_length_is_sent_whole(stub):
    Client(stub.url).run("variables", cmd="import", file=Path("/proc/self/status"))
    [(name, content)] = stub.request.files.values()
    assert name == "status"
    assert content.startswith(b"Name:")


def test_an_empty_file_is_sent_as_one(stub, tmp_path):
    (tmp_path / "empty.json").touch()
    Client(stub.url).run("variables", cmd="import", file=tmp_path / "empty.json")
    assert stub.request.files == {"file": ("empty.json", b"")}


@pytest.mark.parametrize("name", ["missing.json", "missing/vars.json", "vars.json/x", "nul\0.json"])
def test_a_missing_file_is_wrong_usage(stub, tmp_path, name):
    (tmp_path / "vars.json").write_text("{}")
    ended = call("--url", stub.url, "variables", "--import", str(tmp_path / name))
    assert ended.status == ExitStatus.USAGE
    assert "there is no file" in ended.says()
    assert stub.requests == []


def test_a_directory_is_wrong_usage(run, stub, tmp_path):
    ended = run("deploy_dag", str(tmp_path))
    assert ended.status == ExitStatus.USAGE
    assert ended.says() == f"'{tmp_path}' is a directory, not a file"
    assert stub.requests == []


def test_a_file_that_cannot_be_read_is_told_as_that(run, stub):
    ended = run("variables", "--import", "/proc/self/mem")
    assert ended.status == ExitStatus.LOCAL_FILE
    assert "cannot read '/proc/self/mem'" in ended.says()


def test_a_file_that_becomes_shorter_is_not_sent_as_if_it_were_whole(tmp_path):
    path = tmp_path / "vars.json"
    path.write_bytes(b"x" * (2 * BLOCK_BYTES))
    with Upload(path) as upload:
        blocks = iter(upload)
        next(blocks)
        path.write_bytes(b"")
        with pytest.raises(LocalFileError, match="has become shorter meanwhile"):
            next(blocks)


def test_a_file_that_becomes_shorter_ends_the_request(raw_stub, tmp_path, monkeypatch):
    path = tmp_path / "vars.json"
    path.write_bytes(b"x")
    monkeypatch.setattr(Upload, "size", property(lambda self: 5, lambda self, size: None), raising=False)
    with pytest.raises(LocalFileError, match="has become shorter meanwhile"):
        Client(raw_stub.url).run("variables", cmd="import", file=path)


def test_a_file_that_grows_is_sent_as_long_as_it_was(tmp_path):
    path = tmp_path / "vars.json"
    path.write_bytes(b"short")
    with Upload(path) as upload:
        path.write_bytes(b"short, and more")
        assert b"".join(upload) == b"short"


def test_a_file_is_closed_after_it_was_sent(stub, tmp_path):
    path = tmp_path / "vars.json"
    path.write_bytes(b"{}")
    with Upload(path) as upload:
        pass
    assert upload.stream is not None
    assert upload.stream.closed
    with pytest.raises(UnusableError):
        Upload(tmp_path)


# The file that gets a command's output.


@pytest.fixture
def exported(stub):
    stub.answer(envelope(stdout='{"a": "é\r\n"}', output="", stderr="1 exported\n"))
    return '{"a": "é\r\n"}'.encode()


def test_an_export_is_written_to_the_local_file(run, stub, exported, tmp_path):
    ended = run("variables", "--export", str(tmp_path / "out.json"))
    assert (ended.status, ended.out, ended.err) == (0, "", "1 exported\n")
    assert stub.request.arguments == {"cmd": "export", "file": "-"}
    assert (tmp_path / "out.json").read_bytes() == exported
    assert names(tmp_path) == ["out.json"]


def test_a_new_file_has_the_mode_that_the_umask_leaves(run, exported, tmp_path):
    umask = os.umask(0o027)
    try:
        run("variables", "--export", str(tmp_path / "out.json"))
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o640


def test_a_file_that_is_there_keeps_its_mode_and_a_link_stays_one(run, exported, tmp_path):
    (tmp_path / "real.json").write_text("old, and longer than what comes")
    (tmp_path / "real.json").chmod(0o600)
    (tmp_path / "link.json").symlink_to("real.json")
    assert run("variables", "--export", str(tmp_path / "link.json")).status == 0
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes() == exported
    assert stat.S_IMODE((tmp_path / "real.json").stat().st_mode) == 0o600


def test_an_export_to_a_dash_is_printed(run, exported):
    ended = run("variables", "--export", "-")
    assert (ended.stdout, ended.err) == (exported, "1 exported\n")


def test_what_is_not_a_regular_file_is_written_to(run, exported, tmp_path):
    assert run("variables", "--export", "/dev/null").status == 0
    assert Path("/dev/null").is_char_device()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reader.start()
    assert run("variables", "--export", str(fifo)).status == 0
    reader.join()
    assert found == [exported]
    assert fifo.is_fifo()


@pytest.mark.parametrize("name", ["missing/out.json", ".", "x" * 300 + "/out.json"])
def test_a_file_that_cannot_be_written_is_found_before_anything_is_sent(run, stub, tmp_path, name):
    ended = run("variables", "--export", f"{tmp_path}/{name}")
    assert ended.status == ExitStatus.LOCAL_FILE
    assert "cannot write" in ended.says()
    assert stub.requests == []
    assert names(tmp_path) == []


def test_a_full_disk_is_told(run, exported):
    ended = run("variables", "--export", "/dev/full")
    assert ended.status == ExitStatus.LOCAL_FILE
    assert ended.says() == "cannot write '/dev/full': No space left on device"


def test_a_command_that_failed_leaves_the_file_as_it_was(run, stub, tmp_path):
    (tmp_path / "out.json").write_text("old")
    stub.answer(envelope(status="ERROR", output="no", stdout="half", stderr="no\n", exit_code=1), 422)
    ended = run("variables", "--export", str(tmp_path / "out.json"))
    assert (ended.status, ended.out, ended.err) == (1, "half", "no\n")
    assert (tmp_path / "out.json").read_text() == "old"
    assert names(tmp_path) == ["out.json"]


def test_with_json_the_file_is_written_all_the_same(run, exported, tmp_path):
    ended = run("--json", "variables", "--export", str(tmp_path / "out.json"))
    assert '"status": "OK"' in ended.out
    assert (tmp_path / "out.json").read_bytes() == exported


def test_an_export_that_is_given_up_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), Export(str(tmp_path / "out.json")):
        raise KeyboardInterrupt
    assert names(tmp_path) == []
