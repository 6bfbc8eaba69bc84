from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server import dags
from airflow_remote_server.errors import BadArguments, Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remote import Remote

SOURCE = b"print('a DAG')\n"
DAG = b"""
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
dag = DAG("wished", schedule=None)
"""


def upload(
    remote: Remote, filename: str, source: bytes = SOURCE, **fields: str
) -> tuple[int, dict[str, Any]]:
    """Upload a file: (status, envelope)."""
    response = remote("deploy_dag", "POST", data={"dag_file": (io.BytesIO(source), filename), **fields})
    return response.status_code, response.json


@pytest.fixture
def deploy(remote: Remote) -> Any:
    """Upload a file, and have it deployed by the shared host."""
    return lambda *args, **fields: upload(remote, *args, **fields)


@pytest.fixture
def refuse(make_remote: Any, state: Path) -> Iterator[Any]:
    """Upload a file that is refused before anything is run."""
    yield lambda *args, **fields: upload(make_remote(), *args, **fields)
    assert not (state / "jobs").exists()


@pytest.mark.slow
def test_a_file_is_put_into_the_dags_folder(deploy: Any, tmp_path: Path) -> None:
    status, envelope = deploy("new_dag.py")
    assert (status, envelope["output"]) == (200, "DAG File [new_dag.py] has been uploaded")
    assert [path.name for path in (tmp_path / "dags").iterdir()] == ["new_dag.py"]
    assert (tmp_path / "dags" / "new_dag.py").read_bytes() == SOURCE


@pytest.mark.slow
def test_a_file_that_is_there_is_replaced_only_by_force(deploy: Any, tmp_path: Path) -> None:
    (tmp_path / "dags" / "a.py").write_text("old")
    status, envelope = deploy("a.py")
    assert status == 409
    assert "force" in envelope["output"]
    assert (tmp_path / "dags" / "a.py").read_text() == "old"
    assert deploy("a.py", force="true")[0] == 200
    assert (tmp_path / "dags" / "a.py").read_bytes() == SOURCE
    assert len(list((tmp_path / "dags").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "source", [b"def", b"a\0b", b"x = '\xff'", b"(" * 1000, b"\xef\xbb\xbfx =", b"1" + b"+1" * 200_000]
)
def test_what_does_not_compile_replaces_nothing(deploy: Any, tmp_path: Path, source: bytes) -> None:
    (tmp_path / "dags" / "a.py").write_text("old")
    status, envelope = deploy("a.py", source, force="1")
    assert status == 400
    assert "a.py" in envelope["output"]
    assert "\n" not in envelope["output"]
    assert {path.name: path.read_text() for path in (tmp_path / "dags").iterdir()} == {"a.py": "old"}


NAMES = [
    "../a.py",
    "/a.py",
    "a/b.py",
    "a\\b.py",
    ".a.py",
    "a.txt",
    "a",
    ".py",
    "a.py ",
    "a.py\n",
    "é.py",
    "a" * 300 + ".py",
    "-a.py",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_plain_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadArguments):
        dags.target(name, tmp_path)


@given(st.text(max_size=30))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path(__file__).parent.resolve()
    try:
        path = dags.target(name, folder)
    except BadArguments as error:
        assert "\n" not in error.message
        return
    assert path.parent == folder
    assert path.suffix == ".py"


def test_a_link_is_not_followed(refuse: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("old")
    (tmp_path / "dags" / "a.py").symlink_to(outside)
    assert refuse("a.py", force="1")[0] == 400
    assert outside.read_text() == "old"


def test_a_folder_of_that_name_is_left_alone(refuse: Any, tmp_path: Path) -> None:
    (tmp_path / "dags" / "a.py").mkdir()
    assert refuse("a.py", force="1")[0] == 400


def test_who_is_second_does_not_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "a.py"

    class Late(type(path)):  # type: ignore[misc]
        def exists(self, **_: Any) -> bool:
            return False  # the other one came just after we looked

    path.write_text("first")
    with pytest.raises(Conflict):
        dags.replace(Late(path), SOURCE, force=False)
    assert path.read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_pause_and_unpause_do_not_go_together(refuse: Any, tmp_path: Path) -> None:
    assert refuse("a.py", pause="1", unpause="1")[0] == 400
    assert not list((tmp_path / "dags").iterdir())


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_is_said(
    make_remote: Any, shared_state: Path, tmp_path: Path
) -> None:
    remote = make_remote(state_dir=shared_state, dags_folder=tmp_path / "nowhere")
    status, envelope = upload(remote, "a.py")
    assert (status, envelope["error"]["type"]) == (503, "Unavailable")


@pytest.mark.slow
@pytest.mark.parametrize("wish", ["pause", "unpause"])
def test_the_dags_of_a_file_are_paused_or_not(
    remote: Remote, home: Path, make_remote: Any, wish: str
) -> None:
    folder = home / "dags"
    remote = make_remote(state_dir=remote.settings.state_dir, dags_folder=folder)
    source = b"print('a print of its own')\n" + DAG
    try:
        status, envelope = upload(remote, "wished.py", source, **{wish: "true"}, force="true")
    finally:
        (folder / "wished.py").unlink(missing_ok=True)
    assert status == 200, envelope
    assert envelope["output"].splitlines()[-1] == f"DAG File [wished.py] has been uploaded; {wish}d: wished"
    assert envelope["result"] == {"dag_ids": ["wished"], "import_errors": {}}


@pytest.mark.slow
def test_a_file_that_airflow_cannot_import_is_said_and_is_there(
    remote: Remote, home: Path, make_remote: Any
) -> None:
    folder = home / "dags"
    remote = make_remote(state_dir=remote.settings.state_dir, dags_folder=folder)
    try:
        status, envelope = upload(remote, "broken.py", b"# airflow DAG\nimport no_such_module\n", pause="1")
        assert (folder / "broken.py").exists()
    finally:
        (folder / "broken.py").unlink(missing_ok=True)
    assert (status, envelope["error"]["type"]) == (422, "CommandFailed")
    assert envelope["output"].startswith("broken.py is in place, but Airflow cannot import it:")
    assert "no_such_module" in envelope["output"]


@pytest.mark.slow
def test_an_upload_is_gone_with_the_command_that_needed_it(deploy: Any, shared_state: Path) -> None:
    status, envelope = deploy("gone.py")
    assert status == 200
    names = {path.name for path in (shared_state / "jobs" / envelope["job"]["id"]).iterdir()}
    assert not [name for name in names if name.startswith("upload")]
