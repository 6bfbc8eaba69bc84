from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from conftest import TOKEN
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server import dags
from airflow_remote_server.errors import BadArguments, Conflict

SOURCE = b"print('a DAG')\n"


@pytest.fixture
def deploy(make_client: Any) -> Any:
    """Upload a file: (status, envelope)."""
    client = make_client()

    def call(filename: str, source: bytes = SOURCE, **fields: str) -> tuple[int, dict[str, Any]]:
        data = {"dag_file": (io.BytesIO(source), filename), **fields}
        headers = {"rest-api-plugin-http-token": TOKEN}
        response = client.post("/admin/rest_api/api/v1.0/deploy_dag", headers=headers, data=data)
        return response.status_code, response.json

    return call


def test_a_file_is_put_into_the_dags_folder(deploy: Any, tmp_path: Path) -> None:
    status, envelope = deploy("new_dag.py")
    assert (status, envelope["output"]) == (200, "DAG File [new_dag.py] has been uploaded")
    assert [path.name for path in (tmp_path / "dags").iterdir()] == ["new_dag.py"]
    assert (tmp_path / "dags" / "new_dag.py").read_bytes() == SOURCE


def test_a_file_that_is_there_is_replaced_only_by_force(deploy: Any, tmp_path: Path) -> None:
    (tmp_path / "dags" / "a.py").write_text("old")
    status, envelope = deploy("a.py")
    assert status == 409
    assert "force" in envelope["output"]
    assert (tmp_path / "dags" / "a.py").read_text() == "old"
    assert deploy("a.py", force="true")[0] == 200
    assert (tmp_path / "dags" / "a.py").read_bytes() == SOURCE
    assert len(list((tmp_path / "dags").iterdir())) == 1


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


def test_a_link_is_not_followed(deploy: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("old")
    (tmp_path / "dags" / "a.py").symlink_to(outside)
    assert deploy("a.py", force="1")[0] == 400
    assert outside.read_text() == "old"


def test_a_folder_of_that_name_is_left_alone(deploy: Any, tmp_path: Path) -> None:
    (tmp_path / "dags" / "a.py").mkdir()
    assert deploy("a.py", force="1")[0] == 400


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


def test_pause_and_unpause_do_not_go_together(deploy: Any, tmp_path: Path) -> None:
    assert deploy("a.py", pause="1", unpause="1")[0] == 400
    assert not list((tmp_path / "dags").iterdir())


def test_a_folder_that_cannot_be_written_to_is_said(make_client: Any, tmp_path: Path) -> None:
    client = make_client(dags_folder=tmp_path / "nowhere")
    data = {"dag_file": (io.BytesIO(SOURCE), "a.py")}
    headers = {"rest-api-plugin-http-token": TOKEN}
    response = client.post("/admin/rest_api/api/v1.0/deploy_dag", headers=headers, data=data)
    assert (response.status_code, response.json["error"]["type"]) == (503, "Unavailable")
