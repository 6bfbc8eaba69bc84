"""Local files that are uploaded or written."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from airflow_remote.client import Client
from airflow_remote.errors import LocalFileError, UnusableError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.local_files import BLOCK_BYTES, LocalTarget, Upload
from client.program import Run, call
from client.raw_stub import RawStub
from client.responses import envelope
from client.stub import Stub


def file_names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# Uploads.


def test_large_file_is_sent_in_blocks_with_its_length(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "vars.json"
    path.write_bytes(os.urandom(3 * BLOCK_BYTES + 7))
    Client(stub.url).run("variables", cmd="import", file=path)
    assert stub.request.files == {"file": ("vars.json", path.read_bytes())}
    assert int(stub.request.headers["content-length"]) > path.stat().st_size
    assert "transfer-encoding" not in stub.request.headers


def test_named_pipe_is_uploaded(stub: Stub, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=[b'{"a": 1}'])
    writer.start()
    Client(stub.url).run("variables", cmd="import", file=fifo)
    writer.join()
    assert stub.request.files == {"file": ("fifo", b'{"a": 1}')}


def test_file_of_unknown_size_is_uploaded(stub: Stub) -> None:
    Client(stub.url).run("variables", cmd="import", file=Path("/proc/self/status"))
    [(name, content)] = stub.request.files.values()
    assert name == "status"
    assert content.startswith(b"Name:")


def test_empty_file_is_uploaded(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "empty.json").touch()
    Client(stub.url).run("variables", cmd="import", file=tmp_path / "empty.json")
    assert stub.request.files == {"file": ("empty.json", b"")}


@pytest.mark.parametrize("name", ["missing.json", "missing/vars.json", "vars.json/x", "nul\0.json"])
def test_missing_file_is_a_usage_error(stub: Stub, tmp_path: Path, name: str) -> None:
    (tmp_path / "vars.json").write_text("{}")
    completed = call("--url", stub.url, "variables", "--import", str(tmp_path / name))
    assert completed.status == ExitStatus.USAGE
    assert "no such file" in completed.message()
    assert stub.requests == []


def test_directory_is_a_usage_error(run: Run, stub: Stub, tmp_path: Path) -> None:
    completed = run("deploy_dag", str(tmp_path))
    assert completed.status == ExitStatus.USAGE
    assert completed.message() == f"'{tmp_path}' is a directory; name a file"
    assert stub.requests == []


def test_unreadable_file_is_reported(run: Run, stub: Stub) -> None:
    completed = run("variables", "--import", "/proc/self/mem")
    assert completed.status == ExitStatus.LOCAL_FILE
    assert "cannot read '/proc/self/mem'" in completed.message()


def test_truncated_file_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "vars.json"
    path.write_bytes(b"x" * (2 * BLOCK_BYTES))
    with Upload(path) as upload:
        blocks = iter(upload)
        next(blocks)
        path.write_bytes(b"")
        with pytest.raises(LocalFileError, match="was truncated while it was sent"):
            next(blocks)


def test_truncated_file_ends_the_request(
    raw_stub: RawStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vars.json"
    path.write_bytes(b"x")
    monkeypatch.setattr(Upload, "size", property(lambda self: 5, lambda self, size: None), raising=False)
    with pytest.raises(LocalFileError, match="was truncated while it was sent"):
        Client(raw_stub.url).run("variables", cmd="import", file=path)


def test_growing_file_is_sent_with_its_first_size(tmp_path: Path) -> None:
    path = tmp_path / "vars.json"
    path.write_bytes(b"short")
    with Upload(path) as upload:
        path.write_bytes(b"short, and more")
        assert b"".join(upload) == b"short"


def test_file_is_closed_after_the_upload(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "vars.json"
    path.write_bytes(b"{}")
    with Upload(path) as upload:
        pass
    assert upload.stream is not None
    assert upload.stream.closed
    with pytest.raises(UnusableError):
        Upload(tmp_path)


# Output files.


@pytest.fixture
def exported(stub: Stub) -> bytes:
    stub.respond(envelope(stdout='{"a": "é\r\n"}', output="", stderr="1 exported\n"))
    return '{"a": "é\r\n"}'.encode()


def test_export_is_written_to_the_local_file(run: Run, stub: Stub, exported: bytes, tmp_path: Path) -> None:
    completed = run("variables", "--export", str(tmp_path / "out.json"))
    assert (completed.status, completed.out, completed.err) == (0, "", "1 exported\n")
    assert stub.request.arguments == {"cmd": "export", "file": "-"}
    assert (tmp_path / "out.json").read_bytes() == exported
    assert file_names(tmp_path) == ["out.json"]


def test_new_file_respects_the_umask(run: Run, exported: bytes, tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        run("variables", "--export", str(tmp_path / "out.json"))
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o640


def test_existing_file_keeps_its_mode_and_links_to_it(run: Run, exported: bytes, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old text, longer than the export")
    (tmp_path / "real.json").chmod(0o600)
    (tmp_path / "link.json").symlink_to("real.json")
    assert run("variables", "--export", str(tmp_path / "link.json")).status == 0
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes() == exported
    assert stat.S_IMODE((tmp_path / "real.json").stat().st_mode) == 0o600


def test_export_to_a_dash_is_printed(run: Run, exported: bytes) -> None:
    completed = run("variables", "--export", "-")
    assert (completed.stdout, completed.err) == (exported, "1 exported\n")


def test_devices_and_pipes_are_written_in_place(run: Run, exported: bytes, tmp_path: Path) -> None:
    assert run("variables", "--export", "/dev/null").status == 0
    assert Path("/dev/null").is_char_device()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    reader.start()
    assert run("variables", "--export", str(fifo)).status == 0
    reader.join()
    assert received == [exported]
    assert fifo.is_fifo()


@pytest.mark.parametrize("name", ["missing/out.json", ".", "x" * 300 + "/out.json"])
def test_unwritable_file_sends_no_request(run: Run, stub: Stub, tmp_path: Path, name: str) -> None:
    completed = run("variables", "--export", f"{tmp_path}/{name}")
    assert completed.status == ExitStatus.LOCAL_FILE
    assert "cannot write" in completed.message()
    assert stub.requests == []
    assert file_names(tmp_path) == []


def test_full_disk_is_reported(run: Run, exported: bytes) -> None:
    completed = run("variables", "--export", "/dev/full")
    assert completed.status == ExitStatus.LOCAL_FILE
    assert completed.message() == "cannot write '/dev/full': No space left on device"


def test_failed_command_leaves_the_file_unchanged(run: Run, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("old")
    stub.respond(envelope(status="ERROR", output="no", stdout="half", stderr="no\n", exit_code=1), 422)
    completed = run("variables", "--export", str(tmp_path / "out.json"))
    assert (completed.status, completed.out, completed.err) == (1, "half", "no\n")
    assert (tmp_path / "out.json").read_text() == "old"
    assert file_names(tmp_path) == ["out.json"]


def test_json_option_still_writes_the_file(run: Run, exported: bytes, tmp_path: Path) -> None:
    completed = run("--json", "variables", "--export", str(tmp_path / "out.json"))
    assert '"status": "OK"' in completed.out
    assert (tmp_path / "out.json").read_bytes() == exported


def test_interrupted_export_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), LocalTarget(str(tmp_path / "out.json")):
        raise KeyboardInterrupt
    assert file_names(tmp_path) == []
