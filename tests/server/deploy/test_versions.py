"""Undeploy DAG files, and roll them back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagfiles import PLAIN, dag, files, packed, upload

from airflow_remote_server.config.dag_files import DagFileLimits

if TYPE_CHECKING:
    from remote import Remote

pytestmark = pytest.mark.slow


def test_versions_are_kept_and_rolled_back(deploy: Any, ask: Any, folder: Path) -> None:
    one, two, three = (dag("kept", task=task) for task in ("one", "two", "three"))
    assert deploy("kept.py", one)[0] == 200
    assert ask("rollback_dag", "kept.py")[0] == 404
    assert deploy("kept.py", two, force="1")[1]["result"]["versions"][0]["bytes"] == len(one)
    status, envelope = ask("rollback_dag", "kept.py")
    assert (status, envelope["dag_ids"]) == (200, ["kept"]), envelope
    assert envelope["output"].startswith("DAG File [kept.py] has been rolled back to version 1")
    assert files(folder) == {"kept.py": one}
    assert ask("rollback_dag", "kept.py")[0] == 200  # this undoes the rollback
    assert files(folder) == {"kept.py": two}
    assert deploy("kept.py", three, force="1")[0] == 200
    status, envelope = ask("rollback_dag", "kept.py", version="1")
    assert (status, envelope["result"]["version"]) == (200, 1)
    assert files(folder) == {"kept.py": one}
    status, envelope = ask("rollback_dag", "kept.py", version="99")
    assert (status, "no version 99" in envelope["output"]) == (404, True)


def test_version_that_no_longer_imports_is_not_rolled_back(deploy: Any, ask: Any, folder: Path) -> None:
    (folder / "needed_by_it.py").write_text("")
    assert deploy("needs.py", dag("needs", before="import needed_by_it"))[0] == 200
    assert deploy("needs.py", dag("needs"), force="1")[0] == 200
    (folder / "needed_by_it.py").unlink()
    status, envelope = ask("rollback_dag", "needs.py", force="1")
    assert (status, list(envelope["import_errors"])) == (422, ["needs.py"])
    assert files(folder) == {"needs.py": dag("needs")}


def test_undeployed_file_is_kept_as_a_version(deploy: Any, ask: Any, folder: Path) -> None:
    source = packed({"gone_main.py": dag("gone")})
    assert deploy("gone.zip", source, folder="team")[0] == 200
    status, envelope = ask("undeploy_dag", "gone.zip", folder="team")
    assert (status, envelope["dag_ids"]) == (200, ["gone"]), envelope
    assert envelope["output"] == "DAG File [team/gone.zip] has been removed, and is kept as version 1"
    assert files(folder) == {"team": b"a folder"}
    assert ask("undeploy_dag", "gone.zip", folder="team")[0] == 404
    assert ask("rollback_dag", "gone.zip", folder="team")[0] == 200
    assert files(folder)["team/gone.zip"] == source


def test_file_of_others_is_undeployed_only_with_force(ask: Any, folder: Path) -> None:
    (folder / "by_hand.py").write_bytes(PLAIN)
    status, envelope = ask("undeploy_dag", "by_hand.py")
    assert (status, "force" in envelope["output"]) == (409, True)
    assert files(folder) == {"by_hand.py": PLAIN}
    assert ask("undeploy_dag", "by_hand.py", force="1")[0] == 200
    assert ask("rollback_dag", "by_hand.py")[0] == 200
    assert files(folder) == {"by_hand.py": PLAIN}


def test_only_the_latest_versions_are_kept_and_are_private(
    make_remote: Any, remote: Remote, folder: Path
) -> None:
    state = remote.settings.state_dir
    remote = make_remote(state_dir=state, dag_files=DagFileLimits(versions=2))
    for number in range(5):
        status, envelope = upload(remote, "many.py", b"x = %d\n" % number, force="1")
        assert status == 200
    assert [version["version"] for version in envelope["result"]["versions"]] == [3, 4]
    kept = [path.read_bytes() for path in sorted((state / "dags").glob("*/00*"))]
    assert kept.count(b"x = 2\n") == kept.count(b"x = 3\n") == 1
    assert b"x = 0\n" not in kept
    for path in (state / "dags").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
