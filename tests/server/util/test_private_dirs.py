from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from pathlib import Path


def test_private_directory_and_its_new_parents_are_accessible_to_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert make_private_dir(path) == path == make_private_dir(path)
    for each in (path, path.parent):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700


def test_directory_that_others_can_enter_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(make_private_dir(tmp_path / "private"))
    (tmp_path / "file").write_text("")
    for name in ("open", "link"):
        with pytest.raises(PermissionError, match="mode 0700"):
            make_private_dir(tmp_path / name)
    with pytest.raises(OSError, match="file"):
        make_private_dir(tmp_path / "file")
