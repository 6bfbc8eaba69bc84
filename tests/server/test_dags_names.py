"""Names of DAG files: plain, or refused before anything is done."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_remote_server.dags import names
from airflow_remote_server.errors import BadArguments

NAMES = [
    *(
        "../a.py",
        "/a.py",
        "a/b.py",
        "a\\b.py",
        ".a.py",
        "a.txt",
        "a",
        ".py",
        ".zip",
        "a.py ",
        "a.py\n",
        "a.PY",
    ),
    *("é.py", "a" * 300 + ".py", "-a.py", "a.pyc", "a.py.txt", "~/a.py", "C:\\a.py", "a;id.py", "a\0.py", ""),
    *("con.py", "NUL.py", "com1.x.py", "lpt9.zip", "__init__.py", "__main__.py", "airflow_local_settings.py"),
    *("sitecustomize.py", "UserCustomize.py", "__pycache__.zip", "\uff41.py", "a.\u1d56y"),
]
FOLDERS = [
    *(
        "..",
        "a/..",
        "../a",
        "/a",
        "a//b",
        "a\\b",
        ".a",
        "a.zip",
        "a.b",
        "a b",
        "é",
        "a\n",
        "~",
        "/",
        "//",
        ".",
    ),
    *("con", "a/NUL", "__pycache__", "airflow_local_settings", "a" * 101, "/".join("abcdefghi"), "a/\0"),
    "/".join(["a" * 90] * 3),
]
HOSTILE = st.text(st.sampled_from("ab./\\.. \0\n~-:;%\u00e9\u212a\uff0f\u2024\ufe52AB_zipy"), max_size=30)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_plain_are_refused(name: str) -> None:
    with pytest.raises(BadArguments, match="dag_file"):
        names.read(name)


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_that_are_not_plain_are_refused(folder: str) -> None:
    with pytest.raises(BadArguments, match="folder"):
        names.read("a.py", folder)


@pytest.mark.parametrize("folder", ["", "a", "a/b", "a/b/", "Team-1/etl_2"])
def test_plain_ones_are_taken_as_they_are(folder: str) -> None:
    name = names.read("my-dag_1.v2.py", folder)
    assert str(name) == f"{folder.rstrip('/')}/my-dag_1.v2.py".lstrip("/")
    assert not name.packed
    assert names.read("pkg.zip", folder).packed


@given(st.one_of(st.text(max_size=30), HOSTILE, HOSTILE.map("{}.py".format)), st.one_of(st.text(), HOSTILE))
@example("a.py", "a/")
def test_no_name_leads_out_of_the_folder(filename: str, folder: str) -> None:
    try:
        name = names.read(filename, folder)
    except BadArguments as error:
        assert "\n" not in error.message
        assert len(error.message) < 300
        return
    path = PurePosixPath(str(name))
    assert path.parts == (*name.folders, name.file)
    assert not {"..", ".", ""}.intersection(path.parts)
    assert str(name).isascii()
    assert path.suffix in (".py", ".zip")
    assert str(path) == f"{folder.removesuffix('/')}/{filename}".lstrip("/")


@given(st.text(max_size=10))
def test_what_a_file_system_may_take_for_one_name_is_one(text: str) -> None:
    folded = names.fold(text)
    assert names.fold(folded) == folded
    assert names.fold(text.upper()) == names.fold(text.upper().lower())
