"""Files in the DAGs folder: put there whole or not at all, and nowhere else."""

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

from airflow_remote_server.dags import place as places
from airflow_remote_server.dags.checking import Found
from airflow_remote_server.dags.deploying import Order, Work
from airflow_remote_server.dags.limits import Limits
from airflow_remote_server.dags.names import Name, read
from airflow_remote_server.dags.place import Place
from airflow_remote_server.errors import ApiError, BadArguments, Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1 << 20


def listing(folder: Path) -> list[str]:
    """The names in a folder; none when it is not there."""
    return [path.name for path in folder.iterdir()] if folder.exists() else []


@pytest.fixture(params=["unnamed", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without files that have no name while they are written."""
    if request.param == "named":
        monkeypatch.setattr(places, "unnamed", lambda folder: None)


@pytest.mark.usefixtures("way")
def test_a_file_is_put_there_replaced_and_taken_away(tmp_path: Path) -> None:
    place = Place(tmp_path, read("a.py", "team/x"))
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
def test_a_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ApiError, match="No space left"):
        Place(tmp_path, read("a.py", "team/x")).put(b"one", replace)
    assert files(tmp_path) == {}


@pytest.mark.usefixtures("way")
def test_who_is_second_does_not_overwrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, read("a.py"))
    place.put(b"first", replace=False)
    monkeypatch.setattr(Place, "_is_there", lambda self, folder: False)  # it came just after we looked
    with pytest.raises(Conflict):
        place.put(b"second", replace=False)
    assert files(tmp_path) == {"a.py": b"first"}


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    def link(*args: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(places, "unnamed", lambda folder: None)
    monkeypatch.setattr(os, "link", link)
    Place(tmp_path, read("a.py")).put(b"one", replace)
    assert files(tmp_path) == {"a.py": b"one"}


def test_of_several_at_once_one_comes_first(tmp_path: Path) -> None:
    came: list[str] = []
    barrier = threading.Barrier(4)

    def put(content: str) -> None:
        barrier.wait()
        try:
            Place(tmp_path, read("a.py")).put(content.encode() * 1000, replace=False)
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
def test_what_is_no_file_is_left_alone(tmp_path: Path, what: str, action: str) -> None:
    root, out = tmp_path / "dags", tmp_path / "out"
    root.mkdir()
    out.mkdir()
    (out / "victim.py").write_text("old")
    OTHERS[what](root / "a.py", out)
    place = Place(root, read("a.py"))
    does = {"put": lambda: place.put(b"new", True), "read": lambda: place.read(MOST), "remove": place.remove}
    with pytest.raises(BadArguments):
        does[action]()
    assert files(out) == {"victim.py": b"old"}
    assert listing(root) == ["a.py"]


@pytest.mark.parametrize("what", [what for what in OTHERS if what != "a folder"])
@pytest.mark.parametrize("folder", ["x", "x/y"])
def test_a_sub_folder_that_leads_out_is_not_followed(tmp_path: Path, what: str, folder: str) -> None:
    root, out = tmp_path / "dags", tmp_path / "out"
    root.mkdir()
    out.mkdir()
    (out / "victim.py").write_text("old")
    (root / folder).parent.mkdir(exist_ok=True)
    OTHERS[what](root / folder, out)
    before = listing(root)
    with pytest.raises(BadArguments, match="folder"):
        Place(root, read("a.py", f"{folder}/z")).put(b"new", replace=True)
    assert files(out) == {"victim.py": b"old"}
    assert listing(root) == before


@pytest.mark.parametrize("there", ["My_Dag.py", "MY_DAG.PY", "\uff4dy_dag.py", "my_dag.\u1d56y"])
def test_a_name_that_differs_only_in_case_or_form_is_refused(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("old")
    for place in (Place(tmp_path, read("my_dag.py")), Place(tmp_path, Name(("my_dag.py",), "a.py"))):
        with pytest.raises(BadArguments, match="only in case"):
            place.put(b"new", replace=True)
    assert files(tmp_path) == {there: b"old"}


def test_a_dags_folder_that_is_a_link_itself_is_the_operators(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "dags").symlink_to(tmp_path / "real")
    Place(tmp_path / "dags", read("a.py")).put(b"one", replace=False)
    assert files(tmp_path / "real") == {"a.py": b"one"}


PARTS = st.sampled_from(["a", "A", "b", "out", "up", "file", "self", "pipe", "deep"])


@given(
    st.lists(PARTS, max_size=3), st.sampled_from(["a.py", "b.py", "link.py", "dir.py", "A.py"]), st.booleans()
)
def test_nothing_outside_is_written_and_a_refusal_changes_nothing(
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
        name = read(filename, "/".join(parts))
        try:
            Place(root, name).put(b"new", replace)
        except ApiError:
            assert files(top) == before
            return
        after = files(top)
        assert after.pop(f"dags/{name}") == b"new"
        before.pop(f"dags/{name}", None)
        made = {f"dags/{'/'.join(parts[:depth])}": b"a folder" for depth in range(1, len(parts) + 1)}
        assert after == {**made, **before}


class Killed:
    """A deploy in a process that is killed when it has run so many lines of ours."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.folder = str(Path(places.__file__).parent)
        self.left = 0

    def after(self, lines: int) -> bool:
        """Whether it was killed."""
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
def test_a_deploy_that_is_killed_leaves_the_old_file_or_the_new(tmp_path: Path, there: bool) -> None:
    filename = "a.zip"
    (tmp_path / "dags").mkdir()
    order = Order(
        filename, "team", str(tmp_path / "dags"), str(tmp_path / "state"), Limits(versions=3), force=True
    )
    path = tmp_path / "dags" / "team" / filename
    old, new = (b"old" * 1000, b"new" * 1000)

    def work() -> None:
        current = old if there else None
        Work(order).publish(new, current, Found({"a": ""}), replace=True)

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
        Place(tmp_path / "dags", read(filename, "team")).put(b"next", replace=True)  # clears them away
        assert listing(path.parent) == [filename]
        path.unlink()
        if not there:
            path.parent.rmdir()
        if not was_killed:
            break
    else:
        raise AssertionError("it never came to its end")
    assert kinds == ({old, new} if there else {None, new})
    versions = Work(order).versions
    assert [version.size for version in versions.versions] == ([len(old)] if there else [])
    assert versions.record["dag_ids"] == ["a"]
