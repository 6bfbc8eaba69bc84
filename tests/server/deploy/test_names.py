"""Names of DAG files are validated before anything runs."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_remote_server.deploy import names
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
def test_invalid_names_are_rejected(name: str) -> None:
    with pytest.raises(BadArguments, match="dag_file"):
        names.validate_name(name)


@pytest.mark.parametrize("folder", FOLDERS)
def test_invalid_folders_are_rejected(folder: str) -> None:
    with pytest.raises(BadArguments, match="folder"):
        names.validate_name("a.py", folder)


@pytest.mark.parametrize("folder", ["", "a", "a/b", "a/b/", "Team-1/etl_2"])
def test_valid_names_are_kept_unchanged(folder: str) -> None:
    name = names.validate_name("my-dag_1.v2.py", folder)
    assert str(name) == f"{folder.rstrip('/')}/my-dag_1.v2.py".lstrip("/")
    assert not name.is_package
    assert names.validate_name("pkg.zip", folder).is_package


@given(st.one_of(st.text(max_size=30), HOSTILE, HOSTILE.map("{}.py".format)), st.one_of(st.text(), HOSTILE))
@example("a.py", "a/")
def test_no_name_leaves_the_dags_folder(filename: str, folder: str) -> None:
    try:
        name = names.validate_name(filename, folder)
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
def test_folding_names_is_idempotent_and_ignores_case(text: str) -> None:
    folded = names.fold_name(text)
    assert names.fold_name(folded) == folded
    assert names.fold_name(text.upper()) == names.fold_name(text.upper().lower())
