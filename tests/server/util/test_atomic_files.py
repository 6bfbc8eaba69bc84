from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from airflow_remote_server.util.atomic_files import write_atomically


def test_writes_text_and_bytes(tmp_path: Path) -> None:
    write_atomically(tmp_path / "text", "Größe\n")
    write_atomically(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == "Größe\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_replaces_a_file_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    write_atomically(path, "new", sync=True)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_mode_does_not_depend_on_the_umask(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "state.json"
    old_umask = os.umask(0o077)
    try:
        write_atomically(path, "{}", mode=mode)
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("untouched")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert target.read_text() == "untouched"
    assert not link.is_symlink()


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_failure_keeps_the_old_content_and_removes_the_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "state.json"
    path.write_text("old")
    owner = Path if function == "replace" else os
    monkeypatch.setattr(owner, function, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new", sync=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "state.json", "{}")
