"""Files are published in the DAGs folder atomically, and never outside of it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagfiles import files
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.config.dag_files import DagFileLimits
from airflow_remote_server.deploy import target_file
from airflow_remote_server.deploy.checking import CheckResult
from airflow_remote_server.deploy.deployment import Deployment
from airflow_remote_server.deploy.models import DeployRequest
from airflow_remote_server.deploy.names import DagFileName, validate_name
from airflow_remote_server.deploy.target_file import TargetFile
from airflow_remote_server.errors import ApiError, BadArguments, Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1 << 20


def listing(folder: Path) -> list[str]:
    """Return the names in a folder; none if it does not exist."""
    return [path.name for path in folder.iterdir()] if folder.exists() else []


@pytest.fixture(params=["unnamed", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with and without unnamed files."""
    if request.param == "named":
        monkeypatch.setattr(target_file, "open_unnamed", lambda folder: None)


@pytest.mark.usefixtures("way")
def test_file_is_created_replaced_and_removed(tmp_path: Path) -> None:
    place = TargetFile(tmp_path, validate_name("a.py", "team/x"))
    assert place.read(MOST) is None
    place.put(b"one", replace=False)
    assert files(tmp_path) == {"team": b"a folder", "team/x": b"a folder", "team/x/a.py": b"one"}
    assert place.path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(Conflict, match="force"):
        place.put(b"two", replace=False)
    assert place.read(MOST) == b"one"
    place.put(b"two", replace=True)
    assert files(tmp_path / "team" / "x") == {"a.py": b"two"}
    place.remove()
    assert place.read(MOST) is None


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("replace", [False, True])
def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ApiError, match="No space left"):
        TargetFile(tmp_path, validate_name("a.py", "team/x")).put(b"one", replace)
    assert files(tmp_path) == {}


@pytest.mark.usefixtures("way")
def test_second_writer_does_not_overwrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = TargetFile(tmp_path, validate_name("a.py"))
    place.put(b"first", replace=False)
    monkeypatch.setattr(TargetFile, "_exists", lambda self, folder: False)  # it appeared after the check
    with pytest.raises(Conflict):
        place.put(b"second", replace=False)
    assert files(tmp_path) == {"a.py": b"first"}


@pytest.mark.parametrize("replace", [False, True])
def test_file_system_without_hard_links_is_supported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    def link(*args: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(target_file, "open_unnamed", lambda folder: None)
    monkeypatch.setattr(os, "link", link)
    TargetFile(tmp_path, validate_name("a.py")).put(b"one", replace)
    assert files(tmp_path) == {"a.py": b"one"}


def test_one_of_several_concurrent_writers_wins(tmp_path: Path) -> None:
    came: list[str] = []
    barrier = threading.Barrier(4)

    def put(content: str) -> None:
        barrier.wait()
        try:
            TargetFile(tmp_path, validate_name("a.py")).put(content.encode() * 1000, replace=False)
        except Conflict:
            return
        came.append(content)

    threads = [threading.Thread(target=put, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [first] = came
    assert files(tmp_path) == {"a.py": first.encode() * 1000}


OTHERS: dict[str, Callable[[Path, Path], object]] = {
    "a link to a file": lambda path, out: path.symlink_to(out / "victim.py"),
    "a link to a folder": lambda path, out: path.symlink_to(out),
    "a link to nothing": lambda path, out: path.symlink_to(out / "new.py"),
    "a folder": lambda path, out: path.mkdir(),
    "a pipe": lambda path, out: os.mkfifo(path),
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("action", ["put", "read", "remove"])
def test_links_folders_and_pipes_are_not_changed(tmp_path: Path, what: str, action: str) -> None:
    root, out = tmp_path / "dags", tmp_path / "out"
    root.mkdir()
    out.mkdir()
    (out / "victim.py").write_text("old")
    OTHERS[what](root / "a.py", out)
    place = TargetFile(root, validate_name("a.py"))
    does = {"put": lambda: place.put(b"new", True), "read": lambda: place.read(MOST), "remove": place.remove}
    with pytest.raises(BadArguments):
        does[action]()
    assert files(out) == {"victim.py": b"old"}
    assert listing(root) == ["a.py"]


@pytest.mark.parametrize("what", [what for what in OTHERS if what != "a folder"])
@pytest.mark.parametrize("folder", ["x", "x/y"])
def test_subfolder_that_is_a_link_is_not_followed(tmp_path: Path, what: str, folder: str) -> None:
    root, out = tmp_path / "dags", tmp_path / "out"
    root.mkdir()
    out.mkdir()
    (out / "victim.py").write_text("old")
    (root / folder).parent.mkdir(exist_ok=True)
    OTHERS[what](root / folder, out)
    before = listing(root)
    with pytest.raises(BadArguments, match="folder"):
        TargetFile(root, validate_name("a.py", f"{folder}/z")).put(b"new", replace=True)
    assert files(out) == {"victim.py": b"old"}
    assert listing(root) == before


@pytest.mark.parametrize("there", ["My_Dag.py", "MY_DAG.PY", "\uff4dy_dag.py", "my_dag.\u1d56y"])
def test_name_that_differs_only_in_case_or_form_is_rejected(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("old")
    for place in (
        TargetFile(tmp_path, validate_name("my_dag.py")),
        TargetFile(tmp_path, DagFileName(("my_dag.py",), "a.py")),
    ):
        with pytest.raises(BadArguments, match="only in case"):
            place.put(b"new", replace=True)
    assert files(tmp_path) == {there: b"old"}


def test_dags_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "dags").symlink_to(tmp_path / "real")
    TargetFile(tmp_path / "dags", validate_name("a.py")).put(b"one", replace=False)
    assert files(tmp_path / "real") == {"a.py": b"one"}


PARTS = st.sampled_from(["a", "A", "b", "out", "up", "file", "self", "pipe", "deep"])


@given(
    st.lists(PARTS, max_size=3), st.sampled_from(["a.py", "b.py", "link.py", "dir.py", "A.py"]), st.booleans()
)
def test_nothing_outside_is_written_and_a_rejection_changes_nothing(
    parts: list[str], filename: str, replace: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        root, out = top / "dags", top / "out"
        for path in (root / "a" / "deep", root / "dir.py", out / "deep"):
            path.mkdir(parents=True)
        for path in (root / "a.py", root / "file", root / "a" / "b.py", out / "a.py", out / "b.py"):
            path.write_text("old")
        (root / "out").symlink_to(out)
        (root / "up").symlink_to("..")
        (root / "self").symlink_to(".")
        (root / "a" / "out").symlink_to("../../out")
        (root / "link.py").symlink_to(out / "a.py")
        (root / "a" / "link.py").symlink_to(out / "new.py")
        before = files(top)
        name = validate_name(filename, "/".join(parts))
        try:
            TargetFile(root, name).put(b"new", replace)
        except ApiError:
            assert files(top) == before
            return
        after = files(top)
        assert after.pop(f"dags/{name}") == b"new"
        before.pop(f"dags/{name}", None)
        made = {f"dags/{'/'.join(parts[:depth])}": b"a folder" for depth in range(1, len(parts) + 1)}
        assert after == {**made, **before}


class Killed:
    """Runs a deployment in a process that is killed after a number of lines of this project."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.folder = str(Path(target_file.__file__).parent)
        self.left = 0

    def after(self, lines: int) -> bool:
        """Run the deployment, and return whether it was killed before its end."""
        pid = os.fork()
        if not pid:
            self.left = lines
            sys.settrace(self.trace)
            self.work()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, -signal.SIGKILL)
        return status != 0

    def trace(self, frame: Any, event: str, given: object) -> Any:
        if not frame.f_code.co_filename.startswith(self.folder):
            return None
        if event == "line":
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace


@pytest.mark.slow
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("there", [True, False])
def test_killed_deployment_leaves_the_old_or_the_new_file(tmp_path: Path, there: bool) -> None:
    filename = "a.zip"
    (tmp_path / "dags").mkdir()
    order = DeployRequest(
        filename,
        "team",
        str(tmp_path / "dags"),
        str(tmp_path / "state"),
        DagFileLimits(versions=3),
        force=True,
    )
    path = tmp_path / "dags" / "team" / filename
    old, new = (b"old" * 1000, b"new" * 1000)

    def work() -> None:
        current = old if there else None
        Deployment(order).publish(new, current, CheckResult({"a": ""}), replace=True)

    killed, kinds = Killed(work), set()
    for lines in range(1, 2000):
        if there:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(old)
        was_killed = killed.after(lines)
        found = path.read_bytes() if path.exists() else None
        kinds.add(found)
        assert found in ({old, new} if there else {None, new})
        strays = [name for name in listing(path.parent) if name != filename]
        assert all(name.startswith(".") and name.endswith(".partial") for name in strays)
        TargetFile(tmp_path / "dags", validate_name(filename, "team")).put(b"next", replace=True)
        assert listing(path.parent) == [filename]
        path.unlink()
        if not there:
            path.parent.rmdir()
        if not was_killed:
            break
    else:
        raise AssertionError("it never came to its end")
    assert kinds == ({old, new} if there else {None, new})
    versions = Deployment(order).versions
    assert [version.size for version in versions.versions] == ([len(old)] if there else [])
    assert versions.record["dag_ids"] == ["a"]
