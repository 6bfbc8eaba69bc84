"""A server accepts only a state directory that no other user can enter."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.harness import Server


@pytest.mark.parametrize(("mode", "good"), [(0o700, True), (0o2700, True), (0o750, False), (0o2770, False)])
def test_only_a_private_state_directory_is_used(
    server: Server, tmp_path: Path, mode: int, good: bool
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    printed = server.run_python(
        "from pathlib import Path\n"
        "from airflow_remote_server.util.private_dirs import make_private_dir\n"
        f"try: make_private_dir(Path({str(folder)!r}))\n"
        "except PermissionError as error: print(error)\n"
        "else: print('used')\n"
    )
    assert (printed.splitlines()[-1] == "used") == good, printed
